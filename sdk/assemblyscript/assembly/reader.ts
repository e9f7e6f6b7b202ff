import { decode } from "./utf8";

const HEX = "0123456789abcdef";

/**
 * Reads MessagePack from memory, front to back. Every step checks the end of the buffer and the
 * type of the value, and throws with the position and what was expected. Integers are taken in any
 * of their encodings, and so are the lengths of everything else.
 */
@final
export class Reader {
  /** The address of the next byte. */
  position: usize = 0;
  private start: usize = 0;
  private end: usize = 0;

  /** Begins at the first of `length` bytes at `start`; they must stay in place while they are
   * read. */
  reset(start: usize, length: usize): void {
    this.start = start;
    this.position = start;
    this.end = start + length;
  }

  /** Whether every byte was read. */
  get done(): bool {
    return this.position == this.end;
  }

  /** The first byte of the next value, which stays unread. */
  peek(): u8 {
    if (this.position >= this.end) this.truncated(1);
    return load<u8>(this.position);
  }

  /** Reads past a nil and returns true, or leaves the value unread and returns false. */
  nil(): bool {
    if (this.peek() != 0xc0) return false;
    ++this.position;
    return true;
  }

  /** Reads a boolean. */
  bool(): bool {
    const head = this.peek();
    if ((head & 0xfe) != 0xc2) this.mismatch("a boolean", head);
    ++this.position;
    return head == 0xc3;
  }

  /** Reads an integer that is not negative. */
  uint(): u64 {
    const head = this.peek();
    if (head < 0x80) {
      ++this.position;
      return head;
    }
    const value = this.int();
    // Only uint 64 (cf) reaches beyond the signed range, and it is never negative.
    if (value < 0 && head != 0xcf) throw new Error("expected an integer that is not negative" + this.at(this.position));
    return value;
  }

  /** Reads an integer; one beyond the signed 64 bits wraps around. */
  int(): i64 {
    const head = this.peek();
    if (head < 0x80 || head >= 0xe0) {
      ++this.position;
      return <i8>head;
    }
    switch (head) {
      case 0xcc: return load<u8>(this.take(1));
      case 0xcd: return bswap<u16>(load<u16>(this.take(2)));
      case 0xce: return bswap<u32>(load<u32>(this.take(4)));
      case 0xcf: return bswap<u64>(load<u64>(this.take(8)));
      case 0xd0: return load<i8>(this.take(1));
      case 0xd1: return bswap<i16>(load<i16>(this.take(2)));
      case 0xd2: return bswap<i32>(load<i32>(this.take(4)));
      case 0xd3: return bswap<i64>(load<i64>(this.take(8)));
    }
    this.mismatch("an integer", head);
    return 0;
  }

  /** Reads a floating-point number of either size. */
  float(): f64 {
    const head = this.peek();
    if (head == 0xca) return reinterpret<f32>(bswap<u32>(load<u32>(this.take(4))));
    if (head == 0xcb) return reinterpret<f64>(bswap<u64>(load<u64>(this.take(8))));
    this.mismatch("a floating-point number", head);
    return 0;
  }

  /** Reads past a string and returns how many bytes it has: they lie just before `position`. */
  str(): i32 {
    const head = this.peek();
    let length: u32;
    if ((head & 0xe0) == 0xa0) {
      ++this.position;
      length = head & 0x1f;
    } else if (head == 0xd9) length = load<u8>(this.take(1));
    else if (head == 0xda) length = bswap<u16>(load<u16>(this.take(2)));
    else if (head == 0xdb) length = bswap<u32>(load<u32>(this.take(4)));
    else {
      this.mismatch("a string", head);
      return 0;
    }
    return this.content(length);
  }

  /** Reads a string. */
  string(): string {
    const length = this.str();
    return decode(this.position - length, length);
  }

  /** Reads a string; null when it is not UTF-8. */
  validString(): string | null {
    const length = this.str();
    const start = this.position - length;
    const text = decode(start, length);
    // What is not UTF-8 was replaced, and would be written as other bytes.
    const encoded = String.UTF8.encode(text);
    if (encoded.byteLength != length || memory.compare(changetype<usize>(encoded), start, length) != 0) return null;
    return text;
  }

  /** Reads past a bin and returns how many bytes it has: they lie just before `position`. */
  bin(): i32 {
    const head = this.peek();
    let length: u32;
    if (head == 0xc4) length = load<u8>(this.take(1));
    else if (head == 0xc5) length = bswap<u16>(load<u16>(this.take(2)));
    else if (head == 0xc6) length = bswap<u32>(load<u32>(this.take(4)));
    else {
      this.mismatch("bytes", head);
      return 0;
    }
    return this.content(length);
  }

  /** Reads the head of an array and returns how many values follow. */
  array(): i32 {
    const head = this.peek();
    if ((head & 0xf0) == 0x90) {
      ++this.position;
      return this.values(head & 0x0f, 1);
    }
    if (head == 0xdc) return this.values(bswap<u16>(load<u16>(this.take(2))), 1);
    if (head == 0xdd) return this.values(bswap<u32>(load<u32>(this.take(4))), 1);
    this.mismatch("an array", head);
    return 0;
  }

  /** Reads the head of a map and returns how many pairs of key and value follow. */
  map(): i32 {
    const head = this.peek();
    if ((head & 0xf0) == 0x80) {
      ++this.position;
      return this.values(head & 0x0f, 2);
    }
    if (head == 0xde) return this.values(bswap<u16>(load<u16>(this.take(2))), 2);
    if (head == 0xdf) return this.values(bswap<u32>(load<u32>(this.take(4))), 2);
    this.mismatch("a map", head);
    return 0;
  }

  /** Reads past one value of any type, with everything in it. */
  skip(): void {
    // Short strings and bytes are nearly everything that is skipped.
    const head = this.peek();
    if ((head & 0xe0) == 0xa0) {
      ++this.position;
      this.content(head & 0x1f);
    } else if (head == 0xc4) this.content(load<u8>(this.take(1)));
    else this.skipAny();
  }

  private skipAny(): void {
    // Counting instead of recursing: no depth of nesting can exhaust the stack.
    let left: u64 = 1;
    while (left > 0) {
      --left;
      const head = this.peek();
      if (head < 0x80 || head >= 0xe0) ++this.position;
      else if (head < 0x90) left += <u64>this.map() * 2;
      else if (head < 0xa0) left += this.array();
      else if (head < 0xc0) this.str();
      else {
        switch (head) {
          case 0xc0:
          case 0xc2:
          case 0xc3: ++this.position; break;
          case 0xc4:
          case 0xc5:
          case 0xc6: this.bin(); break;
          case 0xc7: this.content(<u32>load<u8>(this.take(1)) + 1); break;
          case 0xc8: this.content(<u32>bswap<u16>(load<u16>(this.take(2))) + 1); break;
          case 0xc9: this.extension(bswap<u32>(load<u32>(this.take(4)))); break;
          case 0xca: this.take(4); break;
          case 0xcb: this.take(8); break;
          case 0xd4:
          case 0xd5:
          case 0xd6:
          case 0xd7:
          case 0xd8: this.take(1 + (1 << (head - 0xd4))); break;
          case 0xd9:
          case 0xda:
          case 0xdb: this.str(); break;
          case 0xdc:
          case 0xdd: left += this.array(); break;
          case 0xde:
          case 0xdf: left += <u64>this.map() * 2; break;
          case 0xc1: this.mismatch("a value", head); break;
          default: this.int();
        }
      }
    }
  }

  /** Moves past the type byte and `size` bytes after it; returns where they are. */
  // @ts-ignore: decorator
  @inline
  private take(size: usize): usize {
    const bytes = this.position + 1;
    if (this.end - bytes < size) this.truncated(size);
    this.position = bytes + size;
    return bytes;
  }

  // @ts-ignore: decorator
  @inline
  private content(length: u32): i32 {
    if (this.end - this.position < length) this.truncated(length);
    this.position += length;
    return length;
  }

  private extension(length: u32): void {
    this.content(length);
    this.content(1);
  }

  /** A value takes one byte at least, so a count beyond what is left is refused before anyone loops
   * over it. */
  // @ts-ignore: decorator
  @inline
  private values(count: u32, each: u32): i32 {
    if (<u64>count * each > <u64>(this.end - this.position)) this.truncated(<u64>count * each);
    return count;
  }

  private truncated(needed: u64): void {
    const left = this.end - this.position;
    const problem = needed.toString() + " bytes are due, " + left.toString() + " are left";
    throw new Error("truncated: " + problem + this.at(this.position));
  }

  private mismatch(expected: string, head: u8): void {
    const found = HEX.charAt(head >> 4) + HEX.charAt(head & 15);
    throw new Error("expected " + expected + ", found type byte 0x" + found + this.at(this.position));
  }

  private at(position: usize): string {
    return " (MessagePack, offset " + (position - this.start).toString() + ")";
  }
}
