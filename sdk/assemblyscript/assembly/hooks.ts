// What the code that the compiler transform generates for a guest is made of; nothing here is for
// authors.

import { Config } from "./config";

export { abort } from "./abort";
export { openRequestChunk, openResponseChunk } from "./chunks";
export { Config } from "./config";
export { console, trace } from "./console";
export { cabi_realloc, endCall, release, sentinel_argument_area } from "./memory";
export { openRequest } from "./request";
export { openResponse } from "./incoming-response";
export { openSummary } from "./summary";

/** The canonical ABI's `result<_, string>`: a discriminant, then the message's pointer and
 * length. */
const result = memory.data(12, 4);
// Lent to the gateway until post-return, so something has to hold on to it.
let refusal: ArrayBuffer = new ArrayBuffer(0);

/** The result of `configure`: what is wrong with the bytes, the guest's own message, or what else
 * was wrong. */
export function finishConfigure(config: Config, message: string | null): usize {
  const malformed = config.malformed;
  const problem = malformed !== null ? malformed : message !== null ? message : config.problem;
  store<u8>(result, problem !== null ? 1 : 0);
  if (problem !== null) {
    refusal = String.UTF8.encode(problem, false, String.UTF8.ErrorMode.REPLACE);
    store<usize>(result, changetype<usize>(refusal), 4);
    store<usize>(result, refusal.byteLength, 8);
  }
  return result;
}

/** Post-return of `configure`: the gateway has copied the message. */
export function configured(): void {
  refusal = new ArrayBuffer(0);
}
