import * as host from "sentinel:gateway/kv@0.1.0";

import { KvError, type KvReason, reasonOf } from "./errors.ts";
import { bytesOf } from "./text.ts";

function asked<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new KvError(reasonOf(error) as KvReason);
  }
}

/** Keys and values that all workers of a machine share. Needs the grant `kv`. Each function throws
 * `KvError`. */
export const kv = {
  /** The value at a key; null when there is none, or its time is up. */
  get: (key: string | Uint8Array): Uint8Array | null => asked(() => host.get(bytesOf(key)) ?? null),
  /** Puts a value at a key for `ttl` milliseconds, or for ever when that is 0. */
  set: (key: string | Uint8Array, value: string | Uint8Array, ttl = 0): void =>
    asked(() => host.set(bytesOf(key), bytesOf(value), ttl)),
  /** Removes a key; tells whether there was one. */
  delete: (key: string | Uint8Array): boolean => asked(() => host.delete(bytesOf(key))),
  /** Adds to the number at a key, in one step, and tells the sum. An absent one is 0 and lasts for
   * `ttl` milliseconds. */
  add: (key: string | Uint8Array, delta = 1, ttl = 0): number => asked(() => host.add(bytesOf(key), delta, ttl)),
};
