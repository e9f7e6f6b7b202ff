/** The exports of the component: what the interpreter calls. */
import type { GuestClass } from "./guest.ts";
import { log } from "./log.ts";
import { settled } from "./promise.ts";
import { Runner, refusalOf } from "./runner.ts";
import { traced } from "./trace.ts";

/** Runs a hook. What it throws goes to the log with the author's lines, and on: the instance is
 * given up. */
function run<T>(hook: () => T | PromiseLike<T>): T {
  try {
    return settled(hook());
  } catch (error) {
    log.error(traced(error));
    throw error;
  }
}

export function component(kind: GuestClass) {
  const runner = new Runner(kind);
  return {
    lifecycle: {
      configure(config: Uint8Array): void {
        let refusal: string;
        try {
          return runner.configure(config);
        } catch (error) {
          refusal = run(() => refusalOf(error));
        }
        throw refusal;
      },
    },
    requestHandler: { onRequest: (head: Uint8Array) => run(() => runner.onRequest(head)) },
    responseHandler: {
      onResponse: (head: Uint8Array, context: Uint8Array) => run(() => runner.onResponse(head, context)),
    },
    completionHandler: {
      onComplete: (summary: Uint8Array, context: Uint8Array) => run(() => runner.onComplete(summary, context)),
    },
    requestBodyHandler: {
      onRequestChunk: (bytes: Uint8Array, last: boolean, context: Uint8Array) =>
        run(() => runner.onRequestChunk(bytes, last, context)),
    },
    responseBodyHandler: {
      onResponseChunk: (bytes: Uint8Array, last: boolean, context: Uint8Array) =>
        run(() => runner.onResponseChunk(bytes, last, context)),
    },
  };
}
