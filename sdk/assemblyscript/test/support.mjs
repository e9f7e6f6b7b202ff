// Compiles small AssemblyScript programs and calls them as the gateway does: the canonical ABI by hand.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import "./liftoff.mjs";

import { compile } from "../lib/build.mjs";
import { canonicalName } from "../lib/hooks.mjs";

export const PROGRAMS = fileURLToPath(new URL("programs/", import.meta.url));
const VERSION = "0.1.0";
export const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** Writes source text to a folder of its own for the time of `use(folder)`. */
export async function withSource(text, use) {
  const folder = mkdtempSync(join(tmpdir(), "sentinel-asc-"));
  try {
    writeFileSync(join(folder, "index.ts"), text);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Compiles source text to a core module. */
export function compileText(text) {
  return withSource(text, compile);
}

/** An instance of a guest's core module. */
export class Instance {
  constructor(module) {
    this.lines = [];
    this.keys = new Map();
    const write = (level, start, length) => void this.lines.push([LEVELS[level], this.bytes(start, length).toString()]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module), {
      "sentinel:gateway/log@0.1.0": { write },
      "sentinel:gateway/kv@0.1.0": { add: (...args) => this.add(...args) },
      "sentinel:gateway/metrics@0.1.0": { add: () => undefined },
    });
    this.exports = instance.exports;
    this.exports._initialize();
  }

  /** `kv.add` for keys that last. */
  add(start, length, delta, ttl, area) {
    const view = new DataView(this.exports.memory.buffer);
    const key = this.bytes(start, length).toString("hex");
    view.setUint8(area, length > 1024 ? 1 : 0);
    if (length > 1024) return view.setUint8(area + 8, 1);
    const sum = (this.keys.get(key) ?? 0n) + delta;
    this.keys.set(key, sum);
    return view.setBigInt64(area + 8, sum, true);
  }

  /** A copy of guest memory. */
  bytes(start, length) {
    return Buffer.from(new Uint8Array(this.exports.memory.buffer, start, length));
  }

  word(address) {
    return new DataView(this.exports.memory.buffer).getUint32(address, true);
  }

  /** Lowers a list; an empty one is the pointer 1 and nothing else. */
  lower(bytes) {
    if (!bytes.length) return [1, 0];
    const start = this.exports.cabi_realloc(0, 0, 1, bytes.length);
    new Uint8Array(this.exports.memory.buffer, start, bytes.length).set(bytes);
    return [start, bytes.length];
  }

  /** Calls a hook with byte strings and booleans; returns the bytes of its answer. */
  call(hook, ...args) {
    const name = canonicalName(hook, VERSION);
    const area = this.exports[name](
      ...args.flatMap((arg) => (typeof arg === "boolean" ? [Number(arg)] : this.lower(arg))),
    );
    if (hook === "onComplete") return undefined;
    const answer = this.bytes(this.word(area), this.word(area + 4));
    this.exports[`cabi_post_${name}`](area);
    return answer;
  }

  /** Calls `configure`; returns its message, or null. */
  configure(config = {}) {
    return this.configureBytes(pack(config));
  }

  /** The same with the bytes of a configuration. */
  configureBytes(bytes) {
    const name = canonicalName("configure", VERSION);
    const area = this.exports[name](...this.lower(bytes));
    const message =
      this.bytes(area, 1)[0] === 0 ? null : this.bytes(this.word(area + 4), this.word(area + 8)).toString();
    this.exports[`cabi_post_${name}`](area);
    return message;
  }

  /** The last message that `abort` logged while `action` trapped. */
  trapOf(action) {
    try {
      action();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      return this.lines.at(-1)?.[1] ?? error.message;
    }
    throw new Error("no trap");
  }
}

/** Compiles and instantiates source text. */
export async function guestOf(text) {
  return new Instance((await compileText(text)).module);
}

/** MessagePack of a JSON-like value in shortest forms: numbers are integers, Buffers bins, bigints 64-bit integers. */
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

/** A `request-head` with some fields changed. */
export function requestHead(changes = {}) {
  const fields = {
    method: "GET",
    path: "/a",
    query: null,
    headers: [
      ["host", "h"],
      ["x-api-key", "secret"],
    ],
    scheme: "http",
    authority: "h",
    client: "127.0.0.1",
    requestId: "r1",
    route: "/",
    httpVersion: "1.1",
    ...changes,
  };
  fields.headers = fields.headers.map(([name, value]) => [name, Buffer.from(value)]);
  return pack(Object.values(fields));
}

/** A `response-head`. */
export function responseHead(status = 200, headers = [["server", "s"]], origin = 0) {
  return pack([status, headers.map(([name, value]) => [name, Buffer.from(value)]), origin]);
}

/** A program of test/programs as text. */
export function program(name) {
  return readFileSync(join(PROGRAMS, name), "utf8");
}

export const NIL = Buffer.from([0xc0]);
