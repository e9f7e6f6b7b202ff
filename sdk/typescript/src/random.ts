import { bytes } from "sentinel:gateway/random@0.1.0";

/** Needs the grant `random`. From the operating system, fit for keys and tokens. */
export const random = {
  /** So many random bytes, 65,536 at most. */
  bytes: (length: number): Uint8Array => bytes(length),
  /** A random number of 64 bits. */
  number: (): bigint => bytes(8).reduce((number, byte) => number * 256n + BigInt(byte), 0n),
};
