// Makes the edits that its configuration names, one test case at a time.

import {
  Bytes, Config, Guest, PreparedEdits, Request, RequestChunk, Response, ResponseChunk, IncomingResponse,
} from "@sentinel-gateway/assemblyscript";

let kept: Bytes | null = null;
let keptRequest: Request | null = null;

export class Edits extends Guest {
  private what: string = "";
  private prepared: PreparedEdits = new PreparedEdits();
  private constant: Response = new Response(503).header("x", "y").body("down");

  configure(config: Config): string | null {
    this.what = config.string("do");
    this.prepared = new PreparedEdits();
    this.prepared.remove("X-Old");
    this.prepared.set("X-New", "1");
    this.prepared.append("x-new", Uint8Array.wrap(String.UTF8.encode("2")));
    return config.finish();
  }

  onRequest(request: Request): Response | null {
    const what = this.what;
    const headers = request.headers;
    if (what == "every kind of value") {
      const array = Uint8Array.wrap(String.UTF8.encode("abcd"));
      headers.set("a", "text");
      headers.append("b", headers.valueAt(0));
      headers.set("c", array.subarray(1, 3));
      headers.set("d", String.UTF8.encode("buf"));
      headers.set("e", "grün 🔑");
    } else if (what == "prepared edits among others") {
      headers.set("a", "b");
      request.editHeaders(this.prepared);
      request.editHeaders(new PreparedEdits());
      headers.append("c", this.prepared.count.toString());
    } else if (what == "edit the kept request beforehand") keptRequest!.editHeaders(this.prepared);
    else if (what == "a lone surrogate") headers.set("a", "x\uD800y");
    else if (what == "capitals") headers.set("X-ABCZ-Ä[@`{", "V");
    else if (what == "a long name in capitals") headers.remove("A".repeat(65));
    else if (what == "edits, then an answer") {
      headers.set("a", "b");
      request.setContext("state");
      return new Response(403).body("no");
    } else if (what == "the same answer again") return this.constant;
    else if (what == "an empty context") request.setContext("");
    else if (what == "take the body mode back") {
      request.bufferBody(10);
      request.skipBody();
    } else if (what == "the last word counts") {
      request.setPath("/one");
      request.setPath("/two");
      request.setContext("one");
      request.setContext(headers.valueAt(0));
      request.streamBody();
      request.bufferBody(70000);
    } else if (what == "keep a view") kept = headers.valueAt(0);
    else if (what == "use a kept view") headers.set("a", kept!);
    else if (what == "read a kept view") return new Response().body(kept!.toString());
    else if (what == "keep the request") keptRequest = request;
    else if (what == "read the kept request") return new Response().body(keptRequest!.path);
    else if (what == "edit the kept request") keptRequest!.headers.set("a", "b");
    else if (what == "throw") throw new Error("the sky is falling: grün");
    else if (what == "assert") assert(headers.length > 100, "a hundred headers");
    else if (what == "fall off an array") return new Response(<u16>[1, 2][headers.length + 5]);
    else if (what == "throw a long message") throw new Error("€long ".repeat(2000));
    return null;
  }

  onResponse(response: IncomingResponse): Response | null {
    if (this.what == "read a kept view") return new Response().body(kept!.toString());
    if (this.what == "prepared edits among others") response.editHeaders(this.prepared);
    if (this.what == "status alone") response.setStatus(404);
    else if (this.what == "take the body mode back") {
      response.streamBody();
      response.skipBody();
    } else if (this.what == "buffer") response.bufferBody(5);
    return null;
  }

  onRequestChunk(chunk: RequestChunk): Response | null {
    if (this.what == "upper case") chunk.replace(chunk.bytes.toString().toUpperCase());
    else if (this.what == "nothing in place") chunk.replace("");
    else if (this.what == "tell") return new Response().body(chunk.context.toString() + "/" + chunk.isLast.toString() + "/" + chunk.bytes.length.toString());
    else if (this.what == "touch the head") chunk.head;
    else if (this.what == "path of the held head") {
      chunk.head.setPath("/p");
      chunk.replace(chunk.bytes);
    }
    return null;
  }

  onResponseChunk(chunk: ResponseChunk): Response | null {
    if (this.what == "status of the held head") {
      chunk.head.setStatus(418);
      chunk.head.headers.set("x", "y");
    }
    return null;
  }
}
