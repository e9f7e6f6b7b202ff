import { takeList } from "./lists";

// @ts-ignore: decorator
@external("sentinel:gateway/random@0.1.0", "bytes")
declare function hostBytes(length: u32, area: usize): void;

// @ts-ignore: decorator
@external("sentinel:gateway/random@0.1.0", "number")
declare function hostNumber(): u64;

const area = memory.data(8, 4);

/** Random bytes from the operating system, fit for keys and tokens. Needs the grant `random`. */
export namespace random {
  /** So many random bytes, 65,536 at most: more is a trap. */
  export function bytes(length: i32): Uint8Array {
    hostBytes(length, area);
    return takeList(area);
  }

  /** A random number of 64 bits. */
  export function number(): u64 {
    return hostNumber();
  }
}
