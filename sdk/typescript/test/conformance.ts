// A guest that has every hook and does what its configuration says: `{"hook": "on-request", "ops":
// [[...], ...]}`. The hook before a chunk hook asks for the body as `"body": ["stream"]` or
// `["buffer", 1024]` says. The vectors drive it, and the guests in other languages beside it, and
// expect the same bytes of all.
import {
  type ClientCertificate,
  configSchema,
  encodeText,
  Guest,
  type HeaderEdits,
  type Headers,
  type IncomingResponse,
  log,
  type Request,
  type RequestChunk,
  Response,
  type ResponseChunk,
  type Summary,
} from "../src/index.ts";

// biome-ignore lint/suspicious/noExplicitAny: what an operation takes is up to the vectors.
type Op = any[];

interface BodyModes {
  streamBody(): void;
  bufferBody(limit: number): void;
  skipBody(): void;
}

interface Head {
  readonly headers: HeaderEdits;
  setPath?(path: string): void;
  setQuery?(query: string): void;
  setMethod?(method: string): void;
  setUpstream?(name: string): void;
  setStatus?(status: number): void;
}

function setBody(message: BodyModes, [kind, limit]: Op): void {
  if (kind === "stream") message.streamBody();
  else if (kind === "buffer") message.bufferBody(limit);
  else message.skipBody();
}

function edit(head: Head, [kind, name, value]: Op): void {
  if (kind === "set") head.headers.set(name, value);
  else if (kind === "append") head.headers.append(name, value);
  else if (kind === "remove") head.headers.remove(name);
  else if (kind === "path") head.setPath!(name);
  else if (kind === "query") head.setQuery!(name);
  else if (kind === "method") head.setMethod!(name);
  else if (kind === "upstream") head.setUpstream!(name);
  else if (kind === "status") head.setStatus!(name);
  else throw new Error(`unknown operation ${kind}`);
}

/** Printable ASCII as it is, everything else and the backslash as `\xNN`. */
function escaped(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? encodeText(value) : value;
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

function certificate(shown: ClientCertificate | null): string | null {
  return shown && `${shown.subject} ${shown.names.join(",")} ${shown.sha256} ${shown.verified}`;
}

function lines(fields: [string, string | number | Uint8Array | null | Headers][]): string {
  const shown: string[] = [];
  for (const [name, value] of fields) {
    if (value === null) continue;
    if (typeof value === "number") shown.push(`${name}=${BigInt(value)}`);
    else if (typeof value === "string" || value instanceof Uint8Array) shown.push(`${name}=${escaped(value)}`);
    else for (const [field, bytes] of value) shown.push(`${name}=${escaped(field)}: ${escaped(bytes)}`);
  }
  return shown.join("\n");
}

const schema = configSchema({
  type: "object",
  properties: {
    hook: { type: "string", default: "" },
    ops: { type: "array" },
    body: { type: "array" },
  },
  additionalProperties: false,
});

interface Settings {
  hook: string;
  ops: Op[];
  body: Op;
}

export default class Conformance extends Guest<Settings> {
  static readonly schema = schema;
  private settings!: Settings;

  configure(settings: Settings): void {
    this.settings = settings;
  }

  private opsOf(hook: string): Op[] {
    return this.settings.hook === hook ? this.settings.ops : [];
  }

  onRequest(request: Request): Response | null {
    let response: Response | null = null;
    if (this.settings.hook === "on-request-chunk" && this.settings.body.length) setBody(request, this.settings.body);
    for (const op of this.opsOf("on-request")) {
      if (op[0] === "context") request.setContext(op[1]);
      else if (op[0] === "body") setBody(request, op.slice(1));
      else if (op[0] === "respond") response = new Response(op[1], op[2], op[3]);
      else if (op[0] === "dump") response = new Response(200, {}, dumpRequest(request));
      else edit(request, op);
    }
    return response;
  }

  onResponse(incoming: IncomingResponse): Response | null {
    let response: Response | null = null;
    if (this.settings.hook === "on-response-chunk" && this.settings.body.length) setBody(incoming, this.settings.body);
    for (const op of this.opsOf("on-response")) {
      if (op[0] === "body") setBody(incoming, op.slice(1));
      else if (op[0] === "respond") response = new Response(op[1], op[2], op[3]);
      else if (op[0] === "dump") response = new Response(200, {}, dumpResponse(incoming));
      else edit(incoming, op);
    }
    return response;
  }

  onComplete(summary: Summary): void {
    if (this.opsOf("on-complete").length) log.info(dumpSummary(summary));
  }

  onRequestChunk(chunk: RequestChunk): Response | null {
    return this.piece("on-request-chunk", chunk);
  }

  onResponseChunk(chunk: ResponseChunk): Response | null {
    return this.piece("on-response-chunk", chunk);
  }

  private piece(hook: string, chunk: RequestChunk | ResponseChunk): Response | null {
    let response: Response | null = null;
    for (const op of this.opsOf(hook)) {
      if (op[0] === "replace") chunk.replace(op[1]);
      else if (op[0] === "respond") response = new Response(op[1], op[2], op[3]);
      else {
        for (const each of op[1]) edit(chunk.head, each);
        if (op[2] !== null) chunk.replace(op[2]);
      }
    }
    return response;
  }
}

function dumpRequest(request: Request): string {
  return lines([
    ["method", request.method],
    ["path", request.path],
    ["query", request.query],
    ["header", request.headers],
    ["scheme", request.scheme],
    ["authority", request.authority],
    ["client", request.client],
    ["request-id", request.requestId],
    ["route", request.route],
    ["http-version", request.httpVersion],
    ["client-certificate", certificate(request.clientCertificate)],
  ]);
}

function dumpResponse(response: IncomingResponse): string {
  return lines([
    ["status", response.status],
    ["header", response.headers],
    ["origin", response.origin],
    ["context", response.context],
  ]);
}

function dumpSummary(summary: Summary): string {
  return lines([
    ["request-id", summary.requestId],
    ["method", summary.method],
    ["path", summary.path],
    ["query", summary.query],
    ["route", summary.route],
    ["authority", summary.authority],
    ["client", summary.client],
    ["http-version", summary.httpVersion],
    ["started-at", summary.startedAt],
    ["duration", summary.duration],
    ["status", summary.status],
    ["request-bytes", summary.requestBytes],
    ["response-bytes", summary.responseBytes],
    ["outcome", summary.outcome],
    ["origin", summary.origin],
    ["upstream", summary.upstream],
    ["upstream-duration", summary.upstreamDuration],
    ["endpoint", summary.endpoint],
    ["tries", summary.tries],
    ["context", summary.context],
  ]);
}
