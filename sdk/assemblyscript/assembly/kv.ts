import { takeList } from "./lists";
import { decode } from "./utf8";

// @ts-ignore: decorator
@external("sentinel:gateway/kv@0.1.0", "get")
declare function hostGet(key: usize, length: usize, area: usize): void;

// @ts-ignore: decorator
@external("sentinel:gateway/kv@0.1.0", "set")
declare function hostSet(key: usize, length: usize, value: usize, valueLength: usize, ttl: u64, area: usize): void;

// @ts-ignore: decorator
@external("sentinel:gateway/kv@0.1.0", "delete")
declare function hostDelete(key: usize, length: usize, area: usize): void;

// @ts-ignore: decorator
@external("sentinel:gateway/kv@0.1.0", "add")
declare function hostAdd(key: usize, length: usize, delta: i64, ttl: u64, area: usize): void;

/** How a call went; behind `none` in the order of the contract's `error`. */
export enum KvError {
  /** It went well. */
  none,
  /** The guest's quota is used up. Nothing that lives is ever given up for something new. */
  full,
  /** The key or the value is too long. */
  tooLarge,
  /** What is there is not a number, or the sum would not be one. */
  notANumber,
  /** The store is held up. */
  unavailable,
}

const MESSAGES: StaticArray<string> = [
  "it went well",
  "the quota is used up",
  "the key or the value is too long",
  "the value is not a number, or the sum would not be one",
  "the store is held up",
];
const area = memory.data(16, 8);
let last: KvError = KvError.none;

/** Notes how the call went whose error, if it is one, stands at `payload`; returns whether it went
 * well. */
function went(payload: usize): bool {
  last = load<u8>(area) ? <KvError>(load<u8>(area + payload) + 1) : KvError.none;
  return last == KvError.none;
}

/**
 * Keys and values that all workers of a machine share, and that only this guest sees. Needs the
 * grant `kv`. Keys have at most 1,024 bytes of UTF-8, values 65,536 bytes. A key that is secret,
 * such as a token, is stored as its hash. Times are milliseconds, 0 is for ever.
 */
// A class, because only its functions may have the name `delete`.
export abstract class kv {
  /** How the last call went. */
  static error(): KvError {
    return last;
  }

  /** The same in words. */
  static errorMessage(): string {
    return MESSAGES[last];
  }

  /** The value at a key, or null: for none, and when `error()` tells of one. */
  static get(key: string): Uint8Array | null {
    const encoded = String.UTF8.encode(key);
    hostGet(changetype<usize>(encoded), encoded.byteLength, area);
    return went(4) && load<u8>(area, 4) ? takeList(area + 8) : null;
  }

  /** The same as text; bytes that are not UTF-8 become U+FFFD. */
  static getString(key: string): string | null {
    const value = kv.get(key);
    return value === null ? null : decode(value.dataStart, value.length);
  }

  /** Puts a value at a key, in place of what is there. Returns whether it did: the other case is
   * for `error()`. */
  static set(key: string, value: Uint8Array, ttl: u64): bool {
    return kv.setBytes(key, value.dataStart, value.length, ttl);
  }

  /** The same for text. */
  static setString(key: string, value: string, ttl: u64): bool {
    const encoded = String.UTF8.encode(value);
    return kv.setBytes(key, changetype<usize>(encoded), encoded.byteLength, ttl);
  }

  private static setBytes(key: string, value: usize, length: usize, ttl: u64): bool {
    const encoded = String.UTF8.encode(key);
    hostSet(changetype<usize>(encoded), encoded.byteLength, value, length, ttl, area);
    return went(1);
  }

  /** Removes a key; returns whether there was one. */
  static delete(key: string): bool {
    const encoded = String.UTF8.encode(key);
    hostDelete(changetype<usize>(encoded), encoded.byteLength, area);
    return went(1) && load<u8>(area, 1) != 0;
  }

  /**
   * Adds to the number at a key, and returns the sum: in one step, whoever else does the same. An
   * absent one is 0 and lasts for `ttl`; one that is there lasts as long as it would have. 0 when
   * `error()` tells of one.
   */
  static add(key: string, delta: i64, ttl: u64): i64 {
    const encoded = String.UTF8.encode(key);
    hostAdd(changetype<usize>(encoded), encoded.byteLength, delta, ttl, area);
    return went(8) ? load<i64>(area, 8) : 0;
  }
}
