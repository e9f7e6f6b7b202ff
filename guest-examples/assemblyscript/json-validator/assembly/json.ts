// Checking that a text is JSON (RFC 8259).
//
// Rule 1: a fault's offset is that of the first byte with which no JSON text can go on, or the
//         text's length.
// Rule 2: nothing recurses; what nests is a bit in a word.
// Rule 3: a fault is recorded, what found it answers false, and everything above does so too.

import { Bytes } from "@sentinel-gateway/assemblyscript";

/** RFC 8259, section 9, allows a limit; one bit a level. */
const DEEPEST = 64;
/** What stands behind the last byte. */
const END: u32 = 0x100;

export class Fault {
  constructor(readonly error: string, readonly offset: i32) {}
}

/** Checks a text, and, if keys are required, that it is an object that has them. */
export class Checker {
  private start: usize;
  private size: i32;
  private at: i32 = 0;
  private depth: i32 = 0;
  /** The open brackets, the innermost in the lowest bit: 1 for an object. */
  private objects: u64 = 0;
  /** The keys that the outermost object has yet to have. */
  private missing: string[];
  private found: Fault | null = null;

  constructor(text: Bytes, required: string[]) {
    this.start = text.pointer;
    this.size = text.length;
    this.missing = required.slice();
  }

  /** What is wrong, or null. */
  check(): Fault | null {
    this.document();
    return this.found;
  }

  private document(): bool {
    this.space();
    if (this.missing.length && this.peek() != 0x7b) return this.fault("an object is expected");
    do {
      const depth = this.depth;
      if (!this.value()) return false;
      // What was opened and is not empty goes on with a value.
      if (this.depth <= depth && !this.afterValue()) return false;
    } while (this.depth);
    return true;
  }

  /** What follows a value: up to the next value, or to the end. */
  private afterValue(): bool {
    while (this.depth) {
      this.space();
      const inObject = (this.objects & 1) != 0;
      const next = this.peek();
      if (next == 0x2c) {
        ++this.at;
        this.space();
        return !inObject || this.key();
      }
      if (next != <u32>(inObject ? 0x7d : 0x5d))
        return this.fault(inObject ? "a comma or } is expected" : "a comma or ] is expected");
      if (!this.close()) return false;
    }
    this.space();
    return this.at == this.size || this.fault("nothing is expected after the value");
  }

  /** A whole value, or the beginning of an object or array that is not empty. */
  private value(): bool {
    const next = this.peek();
    switch (next) {
      case 0x7b: // {
        if (!this.open(1)) return false;
        return this.peek() == 0x7d ? this.close() : this.key();
      case 0x5b: // [
        if (!this.open(0)) return false;
        return this.peek() == 0x5d ? this.close() : true;
      case 0x22: // "
        return this.string();
      case 0x74: // t
        return this.literal("true");
      case 0x66: // f
        return this.literal("false");
      case 0x6e: // n
        return this.literal("null");
      default:
        return next == 0x2d || isDigit(next) ? this.number() : this.fault("a value is expected");
    }
  }

  private open(object: u64): bool {
    if (this.depth == DEEPEST) return this.fault("values may nest 64 levels deep");
    ++this.depth;
    this.objects = (this.objects << 1) | object;
    ++this.at;
    this.space();
    return true;
  }

  private close(): bool {
    if (this.depth == 1 && this.missing.length) return this.fault("a key is missing: " + this.missing[0]);
    --this.depth;
    this.objects >>= 1;
    ++this.at;
    return true;
  }

  /** A key, its colon, and the space up to the value. */
  private key(): bool {
    if (this.peek() != 0x22) return this.fault("a key is expected");
    const begin = this.at + 1;
    if (!this.string()) return false;
    if (this.depth == 1 && this.missing.length) {
      const key = unescaped(String.UTF8.decodeUnsafe(this.start + begin, this.at - 1 - begin));
      for (let i = this.missing.length - 1; i >= 0; --i) if (this.missing[i] == key) this.missing.splice(i, 1);
    }
    this.space();
    if (this.peek() != 0x3a) return this.fault("a colon is expected");
    ++this.at;
    this.space();
    return true;
  }

  private string(): bool {
    ++this.at;
    for (let next = this.peek(); next != 0x22; next = this.peek()) {
      if (next == 0x5c) {
        if (!this.escape()) return false;
      } else if (next < 0x20 || next == END) return this.fault("a control character must be escaped");
      else if (next < 0x80) ++this.at;
      else if (!this.beyondAscii(next)) return false;
    }
    ++this.at;
    return true;
  }

  private escape(): bool {
    ++this.at;
    const next = this.peek();
    if (next == END || !'"\\/bfnrtu'.includes(String.fromCharCode(next))) return this.fault("no such escape");
    ++this.at;
    for (let digits = next == 0x75 ? 4 : 0; digits > 0; --digits) {
      const digit = this.peek();
      // Bit 5 is what sets apart the cases of letters.
      if (!isDigit(digit) && (digit == END || (digit | 0x20) - 0x61 >= 6))
        return this.fault("a hexadecimal digit is expected");
      ++this.at;
    }
    return true;
  }

  /** One character of UTF-8 (RFC 3629, section 4). */
  private beyondAscii(first: u32): bool {
    if (first < 0xc2 || first > 0xf4) return this.fault("this is not UTF-8");
    let lowest: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    let highest: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    ++this.at;
    for (let more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3; more > 0; --more) {
      const next = this.peek();
      if (next < lowest || next > highest) return this.fault("this is not UTF-8");
      ++this.at;
      lowest = 0x80;
      highest = 0xbf;
    }
    return true;
  }

  private number(): bool {
    if (this.peek() == 0x2d) ++this.at;
    if (this.peek() == 0x30) ++this.at;
    else if (!this.digits()) return false;
    if (this.peek() == 0x2e) {
      ++this.at;
      if (!this.digits()) return false;
    }
    if ((this.peek() | 0x20) != 0x65) return true;
    ++this.at;
    if (this.peek() == 0x2b || this.peek() == 0x2d) ++this.at;
    return this.digits();
  }

  private digits(): bool {
    if (!isDigit(this.peek())) return this.fault("a digit is expected");
    while (isDigit(this.peek())) ++this.at;
    return true;
  }

  private literal(word: string): bool {
    for (let i = 0; i < word.length; ++i) {
      if (this.peek() != <u32>word.charCodeAt(i)) return this.fault("a value is expected");
      ++this.at;
    }
    return true;
  }

  private space(): void {
    for (let next = this.peek(); isSpace(next); next = this.peek()) ++this.at;
  }

  // @ts-ignore: decorator
  @inline
  private peek(): u32 {
    return this.at < this.size ? <u32>load<u8>(this.start + this.at) : END;
  }

  private fault(error: string): bool {
    this.found = new Fault(this.at == this.size ? "the text ends too early" : error, this.at);
    return false;
  }
}

// @ts-ignore: decorator
@inline
function isSpace(byte: u32): bool {
  return byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09;
}

// @ts-ignore: decorator
@inline
function isDigit(byte: u32): bool {
  return byte - 0x30 < 10;
}

/** What a string's inside, checked before, stands for. */
function unescaped(raw: string): string {
  let text = "";
  let done = 0;
  for (let at = raw.indexOf("\\"); at >= 0; at = raw.indexOf("\\", done)) {
    text += raw.substring(done, at);
    const kind = raw.charAt(at + 1);
    done = at + 2;
    if (kind == "b") text += "\b";
    else if (kind == "f") text += "\f";
    else if (kind == "n") text += "\n";
    else if (kind == "r") text += "\r";
    else if (kind == "t") text += "\t";
    else if (kind == "u") {
      done += 4;
      text += String.fromCharCode(<i32>parseInt(raw.substring(at + 2, done), 16));
    } else text += kind;
  }
  return text + raw.substring(done);
}
