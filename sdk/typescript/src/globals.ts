/** What authors and packages expect to be there, and the interpreter does not have. It is evaluated
 * before all else. */
import { guestConsole } from "./console.ts";
import { GuestPromise, queueJob } from "./promise.ts";
import { decodeText, encodeText } from "./text.ts";

class GuestTextEncoder {
  readonly encoding = "utf-8";
  encode(text = ""): Uint8Array {
    return encodeText(text);
  }
}

class GuestTextDecoder {
  readonly encoding = "utf-8";
  decode(data: Uint8Array = new Uint8Array(0)): string {
    return decodeText(data);
  }
}

Object.assign(globalThis, {
  console: guestConsole,
  Promise: GuestPromise,
  queueMicrotask: queueJob,
  TextEncoder: GuestTextEncoder,
  TextDecoder: GuestTextDecoder,
});
