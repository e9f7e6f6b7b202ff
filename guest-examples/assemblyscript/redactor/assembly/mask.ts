import { Bytes } from "@sentinel-gateway/assemblyscript";

import { Words } from "./words";

const NOTHING = new Uint8Array(0);

/** Masks a body chunk by chunk. A masked byte becomes one byte of the mask, so lengths stay as they
 * are. */
export class Mask {
  /** The bytes in which neither a word nor a run of digits goes on. */
  private plain: StaticArray<bool> = new StaticArray<bool>(256);
  /** The length of the shortest text that is masked. */
  private shortest: i32;
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
    this.shortest = digits ? min(digits, words.shortest) : words.shortest;
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
    let i = 0;
    while (i < size) {
      if (!run && !state) i = this.skip(start, size, i);
      while (i < size) {
        const byte = load<u8>(start + i);
        ++i;
        if (unchecked(plain[byte])) {
          state = 0;
          run = 0;
          break;
        }
        state = this.words.next(state, byte);
        run = isDigit(byte) ? run + 1 : 0;
        const length = max(this.words.found(state), this.digitsFound(run));
        if (length) {
          const end = before + i;
          if (out === null) out = joined(NOTHING, start, size);
          // What went out before was masked then.
          out.fill(this.mask, max(0, end - length), end);
        }
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

  /**
   * Where the next text that is masked may begin, at `first` or after; nothing before `first` is
   * part of one.
   *
   * Such a text has no plain byte. So none begins before the last plain byte of as many bytes as
   * the shortest one has, and most of the others need not be looked at.
   */
  private skip(chunk: usize, size: i32, first: i32): i32 {
    const plain = this.plain;
    const shortest = this.shortest;
    // No byte between `first` and this place is plain.
    let known = first;
    while (true) {
      const isTail = shortest > size - first;
      const end = isTail ? size : first + shortest;
      let i = end;
      while (i > known && !unchecked(plain[load<u8>(chunk + i - 1)])) --i;
      if (i > known) first = i;
      if (isTail || i == known) return first;
      known = end;
    }
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
