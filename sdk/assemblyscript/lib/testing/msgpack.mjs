// MessagePack as wit/ABI.md uses it, for tests.

/** MessagePack of a JSON-like value in shortest forms: numbers are integers, Buffers bins, bigints
 * 64-bit integers. */
export function pack(value) {
  if (value === null || value === undefined) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === "number" || typeof value === "bigint") return packInteger(BigInt(value));
  if (typeof value === "string")
    return headed(
      Buffer.from(value),
      [0xa0, 31],
      [
        [0xd9, 1],
        [0xda, 2],
        [0xdb, 4],
      ],
    );
  if (Buffer.isBuffer(value))
    return headed(value, null, [
      [0xc4, 1],
      [0xc5, 2],
      [0xc6, 4],
    ]);
  if (Array.isArray(value))
    return Buffer.concat([
      head(
        value.length,
        [0x90, 15],
        [
          [0xdc, 2],
          [0xdd, 4],
        ],
      ),
      ...value.map(pack),
    ]);
  const entries = Object.entries(value);
  return Buffer.concat([
    head(
      entries.length,
      [0x80, 15],
      [
        [0xde, 2],
        [0xdf, 4],
      ],
    ),
    ...entries.flat().map(pack),
  ]);
}

function packInteger(value) {
  if (value >= 0n) {
    if (value < 0x80n) return Buffer.from([Number(value)]);
    const [type, size] =
      value <= 0xffn ? [0xcc, 1] : value <= 0xffffn ? [0xcd, 2] : value <= 0xffffffffn ? [0xce, 4] : [0xcf, 8];
    return Buffer.concat([Buffer.from([type]), bigEndian(value, size)]);
  }
  if (value >= -32n) return bigEndian(value, 1);
  const [type, size] =
    value >= -0x80n ? [0xd0, 1] : value >= -0x8000n ? [0xd1, 2] : value >= -0x80000000n ? [0xd2, 4] : [0xd3, 8];
  return Buffer.concat([Buffer.from([type]), bigEndian(value, size)]);
}

/** An integer in two's complement. */
export function bigEndian(value, size) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)));
  return bytes.subarray(8 - size);
}

function head(length, fixed, forms) {
  if (fixed && length <= fixed[1]) return Buffer.from([fixed[0] | length]);
  const [type, size] = forms.find(([, bytes]) => length < 2 ** (8 * bytes));
  return Buffer.concat([Buffer.from([type]), bigEndian(length, size)]);
}

function headed(content, fixed, forms) {
  return Buffer.concat([head(content.length, fixed, forms), content]);
}

/** The value that `bytes` hold: bins are Buffers, maps are arrays of pairs, integers beyond 2^53
 * are bigints. */
export function unpack(bytes) {
  const [value, end] = read(Buffer.from(bytes), 0);
  if (end !== bytes.length) throw new Error("bytes are left after the value");
  return value;
}

function read(bytes, at) {
  const type = bytes[at++];
  if (type < 0x80) return [type, at];
  if (type < 0x90) return readMap(bytes, at, type & 0x0f);
  if (type < 0xa0) return readArray(bytes, at, type & 0x0f);
  if (type < 0xc0) return readText(bytes, at, type & 0x1f);
  if (type >= 0xe0) return [type - 0x100, at];
  const size = { 0xc4: 1, 0xc5: 2, 0xc6: 4, 0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4 }[type];
  const length = size && bytes.readUIntBE(at, size);
  if (type === 0xc0) return [null, at];
  if (type === 0xc2 || type === 0xc3) return [type === 0xc3, at];
  if (type >= 0xc4 && type <= 0xc6) return [bytes.subarray(at + size, at + size + length), at + size + length];
  if (type === 0xca) return [bytes.readFloatBE(at), at + 4];
  if (type === 0xcb) return [bytes.readDoubleBE(at), at + 8];
  if (type >= 0xcc && type <= 0xce) return [bytes.readUIntBE(at, 1 << (type - 0xcc)), at + (1 << (type - 0xcc))];
  if (type === 0xcf) return [integer(bytes.readBigUInt64BE(at)), at + 8];
  if (type >= 0xd0 && type <= 0xd2) return [bytes.readIntBE(at, 1 << (type - 0xd0)), at + (1 << (type - 0xd0))];
  if (type === 0xd3) return [integer(bytes.readBigInt64BE(at)), at + 8];
  if (type >= 0xd9 && type <= 0xdb) return readText(bytes, at + size, length);
  if (type === 0xdc || type === 0xdd) return readArray(bytes, at + size, length);
  if (type === 0xde || type === 0xdf) return readMap(bytes, at + size, length);
  throw new Error(`type ${type.toString(16)} is none of the contract's`);
}

function integer(value) {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function readText(bytes, at, length) {
  return [bytes.toString("utf8", at, at + length), at + length];
}

function readArray(bytes, at, length) {
  const values = [];
  for (let left = length; left > 0; --left) {
    const [value, end] = read(bytes, at);
    values.push(value);
    at = end;
  }
  return [values, at];
}

function readMap(bytes, at, length) {
  const [flat, end] = readArray(bytes, at, 2 * length);
  return [Array.from({ length }, (_, pair) => flat.slice(2 * pair, 2 * pair + 2)), end];
}
