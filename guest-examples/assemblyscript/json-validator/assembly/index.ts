import { Config, Guest, Request, RequestChunk, Response } from "@sentinel-gateway/assemblyscript";

import { Checker } from "./json";
import { isJson } from "./media-type";
import { refusal } from "./report";

/** Lets no request with a JSON body through unless the body is JSON, and has the keys that it must
 * have. */
export class JsonValidator extends Guest {
  private maxBytes: u32 = 0;
  private required: string[] = [];

  configure(config: Config): string | null {
    const maxBytes = config.int("max_bytes", 1024 * 1024);
    if (maxBytes < 1 || maxBytes > <i64>u32.MAX_VALUE) config.refuse("max_bytes: 1 to " + u32.MAX_VALUE.toString());
    this.maxBytes = <u32>maxBytes;
    this.required = config.strings("required");
    return config.finish();
  }

  onRequest(request: Request): Response | null {
    const types = request.headers.getAll("content-type");
    if (!types.some((type) => isJson(type))) return null;
    const codings = request.headers.getAll("content-encoding");
    if (!codings.every((coding) => coding.toLowerCase() == "identity"))
      return refusal(415, "an encoded body cannot be checked", 0).header("accept-encoding", "identity");
    request.bufferBody(this.maxBytes);
    // Clients name a type there too, and send no body.
    const method = request.method;
    if (method == "GET" || method == "HEAD" || method == "DELETE" || method == "OPTIONS") request.setContext("may be empty");
    return null;
  }

  onRequestChunk(chunk: RequestChunk): Response | null {
    if (!chunk.bytes.length && chunk.context.length) return null;
    const fault = new Checker(chunk.bytes, this.required).check();
    return fault === null ? null : refusal(422, fault.error, fault.offset);
  }
}
