import { assertCurrent, currentCall } from "./memory";
import { decode } from "./utf8";

/**
 * Bytes lent to a hook: a header's value, a chunk, the context. Nothing is copied, so a `Bytes` is
 * gone when the hook returns, and using it afterwards traps; `toString` and `toArray` make copies
 * that live on.
 */
@final
export class Bytes {
  private call: u32 = currentCall();

  /** Made by the SDK, over memory of the current call. */
  constructor(private start: usize, private size: i32) {}

  /** The number of bytes. */
  get length(): i32 {
    return this.size;
  }

  /** The address of the first byte, valid until the hook returns. */
  get pointer(): usize {
    assertCurrent(this.call);
    return this.start;
  }

  /** The byte at `index`; traps beyond the end. */
  @operator("[]")
  at(index: i32): u8 {
    assertCurrent(this.call);
    if (<u32>index >= <u32>this.size) throw new RangeError("byte " + index.toString() + " of " + this.size.toString());
    return load<u8>(this.start + index);
  }

  /** Whether these are the UTF-8 bytes of `text`. Not for secrets: see `equalsSecret`. */
  equals(text: string): bool {
    assertCurrent(this.call);
    return equalsText(this.start, this.size, text);
  }

  /**
   * Whether these are the bytes of `secret`, found out in a time that depends on the length of
   * these bytes alone: not on how many of them agree, nor on the length of the secret.
   */
  equalsSecret(secret: Uint8Array): bool {
    assertCurrent(this.call);
    const size = this.size;
    const other = secret.dataStart;
    const last = secret.length - 1;
    if (last < 0) return size == 0;
    let difference: u32 = size ^ secret.length;
    for (let i = 0; i < size; ++i) difference |= load<u8>(this.start + i) ^ load<u8>(other + min(i, last));
    return difference == 0;
  }

  /** Whether they begin with the UTF-8 bytes of `text`. */
  startsWith(text: string): bool {
    assertCurrent(this.call);
    const size = String.UTF8.byteLength(text);
    return size <= this.size && equalsText(this.start, size, text);
  }

  /** A copy as text. Bytes that are not UTF-8 become U+FFFD. */
  toString(): string {
    assertCurrent(this.call);
    return decode(this.start, this.size);
  }

  /** A copy that outlives the hook. */
  toArray(): Uint8Array {
    assertCurrent(this.call);
    const copy = new Uint8Array(this.size);
    memory.copy(copy.dataStart, this.start, this.size);
    return copy;
  }
}

/** Whether `size` bytes at `start` are the UTF-8 form of `text`; allocates only for text beyond
 * ASCII. */
export function equalsText(start: usize, size: i32, text: string): bool {
  const units = text.length;
  if (size < units) return false;
  for (let i = 0; i < units; ++i) {
    const unit = load<u16>(changetype<usize>(text) + ((<usize>i) << 1));
    if (unit > 0x7f) return equalsEncoded(start, size, text);
    if (unit != <u16>load<u8>(start + i)) return false;
  }
  return size == units;
}

function equalsEncoded(start: usize, size: i32, text: string): bool {
  const encoded = String.UTF8.encode(text);
  return encoded.byteLength == size && memory.compare(changetype<usize>(encoded), start, size) == 0;
}
