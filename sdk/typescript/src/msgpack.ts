/** The part of MessagePack that the contract uses. Whole numbers beyond 2^53 lose their last
 * digits. */
import { decodeText, encodeText } from "./text.ts";

export type Value = null | boolean | number | string | Uint8Array | Value[] | { [key: string]: Value };

export class Reader {
  at: number;

  constructor(
    readonly data: Uint8Array,
    at = 0,
    private readonly isStrict = false,
  ) {
    this.at = at;
  }

  private number(size: number): number {
    const end = this.at + size;
    if (end > this.data.length) throw new RangeError("a record ends too early");
    let value = 0;
    for (let at = this.at; at < end; at++) value = value * 256 + this.data[at]!;
    this.at = end;
    return value;
  }

  private signed(size: number): number {
    const negative = this.data[this.at]! >= 0x80;
    const value = this.number(size);
    return negative ? value - 2 ** (8 * size) : value;
  }

  bytes(size: number): Uint8Array {
    const start = this.at;
    this.at = start + size;
    if (this.at > this.data.length) throw new RangeError("a record ends too early");
    return this.data.subarray(start, this.at);
  }

  /** The bytes of a string or of binary data. */
  raw(): Uint8Array {
    const type = this.data[this.at++]!;
    if (type >= 0xa0 && type < 0xc0) return this.bytes(type & 31);
    if (type === 0xc4 || type === 0xd9) return this.bytes(this.number(1));
    if (type === 0xc5 || type === 0xda) return this.bytes(this.number(2));
    if (type === 0xc6 || type === 0xdb) return this.bytes(this.number(4));
    throw new TypeError(`a record has 0x${type?.toString(16)} in place of text or bytes`);
  }

  text(): string {
    return decodeText(this.raw(), this.isStrict);
  }

  optionalText(): string | null {
    if (this.data[this.at] !== 0xc0) return this.text();
    this.at++;
    return null;
  }

  /** How many values an array has. */
  array(): number {
    const type = this.data[this.at++]!;
    if ((type & 0xf0) === 0x90) return type & 15;
    if (type === 0xdc) return this.number(2);
    if (type === 0xdd) return this.number(4);
    throw new TypeError(`a record has 0x${type?.toString(16)} in place of an array`);
  }

  value(): Value {
    const type = this.data[this.at];
    if (type === undefined) throw new RangeError("a record ends too early");
    if ((type & 0xf0) === 0x90 || type === 0xdc || type === 0xdd) return this.values(this.array());
    if (type >= 0xd9 && type <= 0xdb) return this.text();
    if (type >= 0xc4 && type <= 0xc6) return this.raw();
    if (type >= 0xa0 && type < 0xc0) return this.text();
    this.at++;
    if (type < 0x80) return type;
    if (type < 0x90) return this.map(type & 15);
    if (type >= 0xe0) return type - 256;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return type === 0xc3;
      case 0xca:
        return this.view(4).getFloat32(0);
      case 0xcb:
        return this.view(8).getFloat64(0);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.number(1 << (type - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.signed(1 << (type - 0xd0));
      case 0xde:
        return this.map(this.number(2));
      case 0xdf:
        return this.map(this.number(4));
    }
    throw new TypeError(`a record has a value of the unknown type 0x${type.toString(16)}`);
  }

  private view(size: number): DataView {
    const data = this.bytes(size);
    return new DataView(data.buffer, data.byteOffset, size);
  }

  private values(count: number): Value[] {
    const values: Value[] = [];
    for (let left = count; left > 0; left--) values.push(this.value());
    return values;
  }

  private map(count: number): { [key: string]: Value } {
    const map: { [key: string]: Value } = Object.create(null);
    for (let left = count; left > 0; left--) {
      const key = this.text();
      map[key] = this.value();
    }
    return map;
  }
}

// What is written before it is handed over as a copy. It keeps its size: a call costs no allocation
// but the copy.
let buffer = new Uint8Array(4096);
let used = 0;

function room(size: number): void {
  if (used + size <= buffer.length) return;
  const larger = new Uint8Array(Math.max(2 * buffer.length, used + size));
  larger.set(buffer.subarray(0, used));
  buffer = larger;
}

function write(...bytes: number[]): void {
  room(bytes.length);
  for (const byte of bytes) buffer[used++] = byte;
}

function writeLength(length: number, small: number, types: readonly (number | undefined)[], most: number): void {
  if (length < most) write(small | length);
  else if (types[0] !== undefined && length < 256) write(types[0], length);
  else if (length < 65536) write(types[1]!, length >> 8, length & 255);
  else write(types[2]!, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255);
}

const ARRAY = [undefined, 0xdc, 0xdd];
const MAP = [undefined, 0xde, 0xdf];
const TEXT = [0xd9, 0xda, 0xdb];
const BYTES = [0xc4, 0xc5, 0xc6];

function append(data: Uint8Array): void {
  room(data.length);
  buffer.set(data, used);
  used += data.length;
}

function writeNumber(value: number): void {
  if (!Number.isInteger(value)) {
    write(0xcb);
    room(8);
    new DataView(buffer.buffer).setFloat64(used, value);
    used += 8;
  } else if (value >= 0) {
    if (value < 128) write(value);
    else writeInteger(value, value < 256 ? 1 : value < 65536 ? 2 : value < 2 ** 32 ? 4 : 8, 0xcc);
  } else if (value >= -32) write(value + 256);
  else writeInteger(value, value >= -128 ? 1 : value >= -32768 ? 2 : value >= -(2 ** 31) ? 4 : 8, 0xd0);
}

function writeInteger(value: number, size: number, first: number): void {
  write(first + Math.log2(size));
  room(size);
  const view = new DataView(buffer.buffer, used, size);
  if (size === 8) view.setBigInt64(0, BigInt(value));
  else
    for (let at = size - 1, rest = value; at >= 0; at--, rest = Math.floor(rest / 256)) view.setUint8(at, rest & 255);
  used += size;
}

function writeValue(value: Value): void {
  if (value === null) write(0xc0);
  else if (typeof value === "number") writeNumber(value);
  else if (typeof value === "string") {
    const data = encodeText(value);
    writeLength(data.length, 0xa0, TEXT, 32);
    append(data);
  } else if (value instanceof Uint8Array) {
    writeLength(value.length, 0, BYTES, 0);
    append(value);
  } else if (Array.isArray(value)) {
    writeLength(value.length, 0x90, ARRAY, 16);
    for (const each of value) writeValue(each);
  } else if (typeof value === "boolean") write(value ? 0xc3 : 0xc2);
  else {
    const keys = Object.keys(value);
    writeLength(keys.length, 0x80, MAP, 16);
    for (const key of keys) {
      writeValue(key);
      writeValue(value[key]!);
    }
  }
}

/** A value's bytes, each length and number in its shortest form. */
export function pack(value: Value): Uint8Array {
  used = 0;
  writeValue(value);
  const packed = buffer.slice(0, used);
  // One large body does not stay for ever.
  if (buffer.length > 65536) buffer = new Uint8Array(4096);
  return packed;
}

export function unpack(data: Uint8Array): Value {
  return new Reader(data).value();
}
