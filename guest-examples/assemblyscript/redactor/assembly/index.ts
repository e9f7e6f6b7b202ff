import { Config, Guest, IncomingResponse, log, Request, Response, ResponseChunk } from "@sentinel-gateway/assemblyscript";

import { Mask } from "./mask";
import { isText } from "./media-type";
import { Words, wordsProblem } from "./words";

/** Masks long runs of digits, and configured words, in responses that are text; also those that lie
 * across chunks. */
export class Redactor extends Guest {
  /** An instance serves one body at a time, from its first chunk to its last. */
  private mask: Mask | null = null;

  configure(config: Config): string | null {
    const mask = config.string("mask", "*");
    if (mask.length != 1 || mask.charCodeAt(0) < 0x20 || mask.charCodeAt(0) > 0x7e)
      config.refuse("mask: one printable character of ASCII is needed");
    // The shortest card numbers have 13 digits (ISO/IEC 7812).
    const digits = config.int("digits", 13);
    if (digits < 0 || digits > 64) config.refuse("digits: 0 to 64");
    const words = config.strings("words");
    const problem = wordsProblem(words);
    if (problem !== null) config.refuse(problem);
    const refused = config.finish();
    if (refused === null) this.mask = new Mask(<u8>mask.charCodeAt(0), <i32>digits, new Words(words));
    return refused;
  }

  /** What the upstream compresses, or cuts into ranges, could not be read. */
  onRequest(request: Request): Response | null {
    request.headers.set("accept-encoding", "identity");
    request.headers.remove("range");
    return null;
  }

  onResponse(response: IncomingResponse): Response | null {
    const types = response.headers.getAll("content-type");
    if (!types.some((type) => isText(type))) return null;
    const codings = response.headers.getAll("content-encoding");
    if (codings.every((coding) => coding.toLowerCase() == "identity")) response.streamBody();
    else log.warn("an encoded response passes unmasked");
    return null;
  }

  onResponseChunk(chunk: ResponseChunk): Response | null {
    const masked = this.mask!.feed(chunk.bytes, chunk.isLast);
    if (masked !== null) chunk.replace(masked);
    return null;
  }
}
