// A guest that has every hook and does what its configuration says: `{"hook": "on-request", "ops":
// [[...], ...]}`. The hook before a chunk hook asks for the body as `"body": ["stream"]` or
// `["buffer", 1024]` says.
// The vectors drive it, and the Rust guest beside it, and expect the same bytes from both.

import {
  Bytes, Config, Guest, HeaderEdits, Headers, log, Origin, Outcome, Request, RequestChunk, RequestEdits, Response,
  ResponseChunk, ResponseEdits, IncomingResponse, Summary, Value,
} from "@sentinel-gateway/assemblyscript";

import { Dump } from "./dump";

const ORIGINS: StaticArray<string> = ["upstream", "guest", "gateway"];
const OUTCOMES: StaticArray<string> = ["completed", "client-aborted", "upstream-aborted", "gateway-aborted"];

export class Conformance extends Guest {
  private hook: string = "";
  private ops: Value[][] = [];
  private body: Value[] = [];

  configure(config: Config): string | null {
    this.hook = config.string("hook");
    this.ops = listsOf(config.list("ops"));
    this.body = config.list("body");
    return config.finish();
  }

  private opsOf(hook: string): Value[][] {
    return this.hook == hook ? this.ops : [];
  }

  onRequest(request: Request): Response | null {
    if (this.hook == "on-request-chunk" && this.body.length > 0) setRequestBody(request, this.body, 0);
    const ops = this.opsOf("on-request");
    let response: Response | null = null;
    for (let i = 0; i < ops.length; ++i) {
      const op = ops[i];
      const name = op[0].string;
      if (name == "context") request.setContext(op[1].string);
      else if (name == "body") setRequestBody(request, op, 1);
      else if (name == "respond") response = responseOf(op);
      else if (name == "dump") response = new Response().body(dumpRequest(request));
      else editRequest(request, request.headers, op);
    }
    return response;
  }

  onResponse(head: IncomingResponse): Response | null {
    if (this.hook == "on-response-chunk" && this.body.length > 0) setResponseBody(head, this.body, 0);
    const ops = this.opsOf("on-response");
    let response: Response | null = null;
    for (let i = 0; i < ops.length; ++i) {
      const op = ops[i];
      const name = op[0].string;
      if (name == "body") setResponseBody(head, op, 1);
      else if (name == "respond") response = responseOf(op);
      else if (name == "dump") response = new Response().body(dumpResponse(head));
      else editResponse(head, head.headers, op);
    }
    return response;
  }

  onComplete(summary: Summary): void {
    const ops = this.opsOf("on-complete");
    for (let i = 0; i < ops.length; ++i) {
      if (ops[i][0].string == "dump") log.info(dumpSummary(summary));
    }
  }

  onRequestChunk(chunk: RequestChunk): Response | null {
    const ops = this.opsOf("on-request-chunk");
    let response: Response | null = null;
    for (let i = 0; i < ops.length; ++i) {
      const op = ops[i];
      const name = op[0].string;
      if (name == "replace") chunk.replace(op[1].string);
      else if (name == "respond") response = responseOf(op);
      else if (name == "edit-head") {
        const head = chunk.head;
        const edits = listsOf(op[1].list);
        for (let j = 0; j < edits.length; ++j) editRequest(head, head.headers, edits[j]);
        if (!op[2].isNil) chunk.replace(op[2].string);
      }
    }
    return response;
  }

  onResponseChunk(chunk: ResponseChunk): Response | null {
    const ops = this.opsOf("on-response-chunk");
    let response: Response | null = null;
    for (let i = 0; i < ops.length; ++i) {
      const op = ops[i];
      const name = op[0].string;
      if (name == "replace") chunk.replace(op[1].string);
      else if (name == "respond") response = responseOf(op);
      else if (name == "edit-head") {
        const head = chunk.head;
        const edits = listsOf(op[1].list);
        for (let j = 0; j < edits.length; ++j) editResponse(head, head.headers, edits[j]);
        if (!op[2].isNil) chunk.replace(op[2].string);
      }
    }
    return response;
  }
}

function listsOf(values: Value[]): Value[][] {
  const lists: Value[][] = [];
  for (let i = 0; i < values.length; ++i) lists.push(values[i].list);
  return lists;
}

function editHeaders(headers: HeaderEdits, op: Value[]): bool {
  const name = op[0].string;
  if (name == "set") headers.set(op[1].string, op[2].string);
  else if (name == "append") headers.append(op[1].string, op[2].string);
  else if (name == "remove") headers.remove(op[1].string);
  else return false;
  return true;
}

function editRequest(request: RequestEdits, headers: HeaderEdits, op: Value[]): void {
  if (editHeaders(headers, op)) return;
  const name = op[0].string;
  if (name == "path") request.setPath(op[1].string);
  else if (name == "query") request.setQuery(op[1].string);
  else if (name == "method") request.setMethod(op[1].string);
  else if (name == "upstream") request.setUpstream(op[1].string);
  else throw new Error("unknown operation " + name);
}

function editResponse(response: ResponseEdits, headers: HeaderEdits, op: Value[]): void {
  if (editHeaders(headers, op)) return;
  if (op[0].string != "status") throw new Error("unknown operation " + op[0].string);
  response.setStatus(<u16>op[1].int);
}

function setRequestBody(request: Request, op: Value[], place: i32): void {
  const mode = op[place].string;
  if (mode == "skip") request.skipBody();
  else if (mode == "stream") request.streamBody();
  else request.bufferBody(<u32>op[place + 1].int);
}

function setResponseBody(response: IncomingResponse, op: Value[], place: i32): void {
  const mode = op[place].string;
  if (mode == "skip") response.skipBody();
  else if (mode == "stream") response.streamBody();
  else response.bufferBody(<u32>op[place + 1].int);
}

function responseOf(op: Value[]): Response {
  const response = new Response(<u16>op[1].int);
  const headers = listsOf(op[2].list);
  for (let i = 0; i < headers.length; ++i) response.header(headers[i][0].string, headers[i][1].string);
  return response.body(op[3].string);
}

function dumpRequest(request: Request): string {
  const dump = new Dump();
  dump.text("method", request.method);
  dump.text("path", request.path);
  dump.option("query", request.query);
  dump.headers(request.headers);
  dump.text("scheme", request.scheme);
  dump.text("authority", request.authority);
  dump.text("client", request.client);
  dump.text("request-id", request.requestId);
  dump.text("route", request.route);
  dump.text("http-version", request.httpVersion);
  const shown = request.clientCertificate;
  if (shown !== null) {
    const names = shown.names.join(",");
    dump.text(
      "client-certificate",
      shown.subject + " " + names + " " + shown.sha256 + " " + (shown.verified ? "true" : "false"),
    );
  }
  return dump.lines.join("\n");
}

function dumpResponse(response: IncomingResponse): string {
  const dump = new Dump();
  dump.number("status", response.status);
  dump.headers(response.headers);
  dump.text("origin", ORIGINS[response.origin]);
  dump.bytes("context", response.context);
  return dump.lines.join("\n");
}

function dumpSummary(summary: Summary): string {
  const dump = new Dump();
  dump.text("request-id", summary.requestId);
  dump.text("method", summary.method);
  dump.text("path", summary.path);
  dump.option("query", summary.query);
  dump.text("route", summary.route);
  dump.text("authority", summary.authority);
  dump.text("client", summary.client);
  dump.text("http-version", summary.httpVersion);
  dump.number("started-at", summary.startedAt);
  dump.number("duration", summary.duration);
  dump.number("status", summary.status);
  dump.number("request-bytes", summary.requestBytes);
  dump.number("response-bytes", summary.responseBytes);
  dump.text("outcome", OUTCOMES[summary.outcome]);
  dump.text("origin", ORIGINS[summary.origin]);
  dump.option("upstream", summary.upstream);
  if (summary.hasUpstreamDuration) dump.number("upstream-duration", summary.upstreamDuration);
  dump.option("endpoint", summary.endpoint);
  dump.number("tries", summary.tries);
  dump.bytes("context", summary.context);
  return dump.lines.join("\n");
}
