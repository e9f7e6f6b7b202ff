import { Bytes } from "@sentinel-gateway/assemblyscript";

import { Words } from "./words";

const NOTHING = new Uint8Array(0);

/** Masks a body chunk by chunk. A masked byte becomes one byte of the mask, so lengths stay as they
 * are. */
export class Mask {
  /** The bytes in which neither a word nor a run of digits goes on. */
  private plain: StaticArray<bool> = new StaticArray<bool>(256);
  /** Where the automaton stands after the bytes seen so far. */
  private state: i32 = 0;
  /** How many digits they end with. */
  private run: i32 = 0;
  /** Their end, held back because it may be the beginning of something to mask. */
  private held: Uint8Array = NOTHING;

  /** A run of at least `digits` digits is masked; 0 masks none. */
  constructor(private mask: u8, private digits: i32, private words: Words) {
    for (let i = 0; i < 256; ++i) {
      const byte = <u8>i;
      this.plain[i] = !words.contain(byte) && !(digits > 0 && isDigit(byte));
    }
  }

  /** What to send for a chunk; null for the chunk as it is. */
  feed(chunk: Bytes, last: bool): Uint8Array | null {
    const held = this.held;
    const before = held.length;
    const size = chunk.length;
    const start = chunk.pointer;
    const plain = this.plain;
    let out: Uint8Array | null = before ? joined(held, start, size) : null;
    let state = this.state;
    let run = this.run;
    for (let i = 0; i < size; ++i) {
      const byte = load<u8>(start + i);
      if (unchecked(plain[byte])) {
        state = 0;
        run = 0;
        continue;
      }
      state = this.words.next(state, byte);
      run = isDigit(byte) ? run + 1 : 0;
      const length = max(this.words.found(state), this.digitsFound(run));
      if (length) {
        const end = before + i + 1;
        if (out === null) out = joined(NOTHING, start, size);
        // What went out before was masked then.
        out.fill(this.mask, max(0, end - length), end);
      }
    }
    this.held = NOTHING;
    this.state = last ? 0 : state;
    this.run = last ? 0 : run;
    const open = last ? 0 : max(this.words.open(state), run < this.digits ? run : 0);
    if (!open) return out;
    if (out === null) out = joined(NOTHING, start, size);
    const sent = max(0, out.length - open);
    this.held = out.slice(sent);
    return out.subarray(0, sent);
  }

  /** How many bytes at the end of a run are to be masked now: all once it is long enough, then each
   * that follows. */
  private digitsFound(run: i32): i32 {
    const digits = this.digits;
    return !digits || run < digits ? 0 : run == digits ? digits : 1;
  }
}

// @ts-ignore: decorator
@inline
function isDigit(byte: u8): bool {
  return <u32>byte - 0x30 < 10;
}

/** A copy of what was held back and of a chunk. */
function joined(held: Uint8Array, start: usize, size: i32): Uint8Array {
  const out = new Uint8Array(held.length + size);
  memory.copy(out.dataStart, held.dataStart, held.length);
  memory.copy(out.dataStart + held.length, start, size);
  return out;
}
