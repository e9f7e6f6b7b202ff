import { Bytes } from "./bytes";

/** Writes MessagePack, always in the shortest form, into a buffer that grows. */
@final
export class Writer {
  private buffer: ArrayBuffer;
  private capacity: usize;
  private used: usize = 0;

  constructor(capacity: i32 = 64) {
    this.buffer = new ArrayBuffer(capacity);
    this.capacity = capacity;
  }

  /** The number of bytes written. */
  // @ts-ignore: decorator
  @inline
  get length(): i32 {
    return <i32>this.used;
  }

  /** The address of the first byte; it may change with every write. */
  // @ts-ignore: decorator
  @inline
  get pointer(): usize {
    return changetype<usize>(this.buffer);
  }

  /** Starts over after `kept` bytes. */
  // @ts-ignore: decorator
  @inline
  restart(kept: usize): void {
    this.used = kept;
  }

  /** Starts over after `kept` bytes, and lets go of a buffer larger than `limit`. */
  reset(kept: i32 = 0, limit: i32 = i32.MAX_VALUE): void {
    if (this.capacity > <usize>limit) {
      this.buffer = new ArrayBuffer(limit);
      this.capacity = limit;
    }
    this.used = kept;
  }

  /** Writes nil. */
  nil(): void {
    this.byte(0xc0);
  }

  /** Writes a boolean. */
  bool(value: bool): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  /** Writes an integer that is not negative. */
  uint(value: u64): void {
    if (value < 0x80) this.byte(<u8>value);
    else if (value <= 0xff) this.head8(0xcc, <u8>value);
    else if (value <= 0xffff) this.head16(0xcd, <u16>value);
    else if (value <= 0xffffffff) this.head32(0xce, <u32>value);
    else this.head64(0xcf, value);
  }

  /** Writes an integer. */
  int(value: i64): void {
    if (value >= 0) this.uint(value);
    else if (value >= -0x20) this.byte(<u8>value);
    else if (value >= i8.MIN_VALUE) this.head8(0xd0, <u8>value);
    else if (value >= i16.MIN_VALUE) this.head16(0xd1, <u16>value);
    else if (value >= i32.MIN_VALUE) this.head32(0xd2, <u32>value);
    else this.head64(0xd3, value);
  }

  /** Writes a number of 64 bits. */
  float(value: f64): void {
    this.head64(0xcb, reinterpret<u64>(value));
  }

  /** Writes a string as UTF-8; a lone surrogate becomes U+FFFD. */
  str(value: string): void {
    const size = utf8Length(value);
    this.strHead(size);
    this.text(value, size);
  }

  /** Writes `size` bytes at `start` as a bin. */
  bin(start: usize, size: i32): void {
    this.binHead(size);
    memory.copy(this.grow(size), start, size);
  }

  /** Writes a string's UTF-8 form, a `Bytes`, a `Uint8Array` or an `ArrayBuffer` as a bin. */
  bytes<V>(value: V): void {
    if (isString<V>()) {
      const text = changetype<string>(value);
      const size = utf8Length(text);
      this.binHead(size);
      this.text(text, size);
    } else if (!isReference<V>()) {
      ERROR("expected a string, Bytes, Uint8Array or ArrayBuffer");
    } else if (idof<V>() == idof<Bytes>()) {
      const bytes = changetype<Bytes>(value);
      this.bin(bytes.pointer, bytes.length);
    } else if (idof<V>() == idof<Uint8Array>()) {
      const array = changetype<Uint8Array>(value);
      this.bin(array.dataStart, array.length);
    } else if (idof<V>() == idof<ArrayBuffer>()) {
      const buffer = changetype<ArrayBuffer>(value);
      this.bin(changetype<usize>(buffer), buffer.byteLength);
    } else {
      ERROR("expected a string, Bytes, Uint8Array or ArrayBuffer");
    }
  }

  /** Writes a header's name as a string, ASCII letters in lower case. */
  name(value: string): void {
    const size = utf8Length(value);
    this.strHead(size);
    this.text(value, size);
    const end = this.pointer + this.used;
    for (let at = end - size; at < end; ++at) {
      const byte = load<u8>(at);
      if (<u32>byte - 0x41 < 26) store<u8>(at, byte | 0x20);
    }
  }

  /** Writes the head of an array; `count` values have to follow. */
  array(count: i32): void {
    if (<u32>count < 0x10) this.byte(<u8>(0x90 | count));
    else if (<u32>count <= 0xffff) this.head16(0xdc, <u16>count);
    else this.head32(0xdd, count);
  }

  /** Writes the head of a map; `count` pairs of key and value have to follow. */
  map(count: i32): void {
    if (<u32>count < 0x10) this.byte(<u8>(0x80 | count));
    else if (<u32>count <= 0xffff) this.head16(0xde, <u16>count);
    else this.head32(0xdf, count);
  }

  /** Writes what another writer holds. */
  // @ts-ignore: decorator
  @inline
  raw(other: Writer): void {
    // An address: references are written to a stack, where the garbage collector finds them.
    const from = changetype<usize>(other);
    const size = load<usize>(from, offsetof<Writer>("used"));
    memory.copy(this.grow(size), load<usize>(from, offsetof<Writer>("buffer")), size);
  }

  /** A copy of what was written. */
  toArrayBuffer(): ArrayBuffer {
    return this.buffer.slice(0, <i32>this.used);
  }

  /** Writes one byte as it is. */
  // @ts-ignore: decorator
  @inline
  byte(value: u8): void {
    store<u8>(this.grow(1), value);
  }

  private strHead(size: u32): void {
    if (size < 0x20) this.byte(<u8>(0xa0 | size));
    else if (size <= 0xff) this.head8(0xd9, <u8>size);
    else if (size <= 0xffff) this.head16(0xda, <u16>size);
    else this.head32(0xdb, size);
  }

  private binHead(size: u32): void {
    if (size <= 0xff) this.head8(0xc4, <u8>size);
    else if (size <= 0xffff) this.head16(0xc5, <u16>size);
    else this.head32(0xc6, size);
  }

  private text(value: string, size: i32): void {
    const target = this.grow(size);
    if (size == value.length) {
      // One byte for every unit: ASCII.
      for (let i = 0; i < size; ++i) store<u8>(target + i, load<u16>(changetype<usize>(value) + ((<usize>i) << 1)));
    } else {
      String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, target, false, String.UTF8.ErrorMode.REPLACE);
    }
  }

  private head8(type: u8, value: u8): void {
    const target = this.grow(2);
    store<u8>(target, type);
    store<u8>(target, value, 1);
  }

  private head16(type: u8, value: u16): void {
    const target = this.grow(3);
    store<u8>(target, type);
    store<u16>(target, bswap<u16>(value), 1);
  }

  private head32(type: u8, value: u32): void {
    const target = this.grow(5);
    store<u8>(target, type);
    store<u32>(target, bswap<u32>(value), 1);
  }

  private head64(type: u8, value: u64): void {
    const target = this.grow(9);
    store<u8>(target, type);
    store<u64>(target, bswap<u64>(value), 1);
  }

  /** Makes room for `size` bytes and returns where they go. */
  // @ts-ignore: decorator
  @inline
  private grow(size: usize): usize {
    const start = this.used;
    const used = start + size;
    if (used > this.capacity) this.enlarge(used);
    this.used = used;
    return changetype<usize>(this.buffer) + start;
  }

  private enlarge(needed: usize): void {
    const capacity = max(this.capacity * 2, needed);
    const buffer = new ArrayBuffer(<i32>capacity);
    memory.copy(changetype<usize>(buffer), changetype<usize>(this.buffer), this.used);
    this.buffer = buffer;
    this.capacity = capacity;
  }
}

/** The number of bytes of a string in UTF-8. */
function utf8Length(value: string): i32 {
  const units = value.length;
  let at = changetype<usize>(value);
  const end = at + ((<usize>units) << 1);
  // Four units at a time.
  for (; at + 8 <= end; at += 8) {
    if (load<u64>(at) & 0xff80_ff80_ff80_ff80) return String.UTF8.byteLength(value);
  }
  for (; at < end; at += 2) {
    if (load<u16>(at) > 0x7f) return String.UTF8.byteLength(value);
  }
  return units;
}
