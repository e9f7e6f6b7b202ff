import type { Words } from "./words.ts";

const NOTHING = new Uint8Array(0);

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Masks a body chunk by chunk. A masked byte becomes one byte of the mask, so lengths stay as they
 * are. */
export class Mask {
  /** 1 for the bytes in which a word or a run of digits may go on. */
  private readonly open = new Uint8Array(256);
  private state = 0;
  /** How many digits the bytes so far end with. */
  private run = 0;
  /** Their end, held back because it may be the beginning of something to mask. */
  private held = NOTHING;

  /** A run of at least `digits` digits is masked; 0 masks none. */
  constructor(
    private readonly mask: number,
    private readonly digits: number,
    private readonly words: Words,
  ) {
    for (let byte = 0; byte < 256; byte++)
      if (words.bytes.has(byte) || (digits > 0 && isDigit(byte))) this.open[byte] = 1;
  }

  /** What to send for a chunk; null for the chunk as it is. */
  feed(chunk: Uint8Array, isLast: boolean): Uint8Array | null {
    const before = this.held.length;
    const out = new Uint8Array(before + chunk.length);
    out.set(this.held);
    out.set(chunk, before);
    const isMasked = this.pass(chunk, out, before);
    if (isLast) this.state = this.run = 0;
    const held = isLast ? 0 : Math.max(this.words.open(this.state), this.run < this.digits ? this.run : 0);
    this.held = NOTHING;
    if (!held && !before && !isMasked) return null;
    const sent = Math.max(0, out.length - held);
    this.held = out.slice(sent);
    return out.subarray(0, sent);
  }

  private pass(chunk: Uint8Array, out: Uint8Array, before: number): boolean {
    const open = this.open;
    let isMasked = false;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (open[byte] === 0) {
        this.state = this.run = 0;
        continue;
      }
      this.state = this.words.next(this.state, byte);
      this.run = isDigit(byte) ? this.run + 1 : 0;
      const length = Math.max(this.words.found(this.state), this.digitsFound());
      if (length === 0) continue;
      const end = before + at + 1;
      // What went out before was masked then.
      out.fill(this.mask, Math.max(0, end - length), end);
      isMasked = true;
    }
    return isMasked;
  }

  /** How many bytes at the end of a run are to be masked now: all once it is long enough, then each
   * that follows. */
  private digitsFound(): number {
    if (this.digits === 0 || this.run < this.digits) return 0;
    return this.run === this.digits ? this.digits : 1;
  }
}
