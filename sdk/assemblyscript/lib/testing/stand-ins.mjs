// What stands in for the host's functions in tests, and records what it was asked: the canonical
// ABI by hand.

import { pack, unpack } from "./msgpack.mjs";

const METRIC_KINDS = ["counter", "histogram"];
const LEVELS = ["trace", "debug", "info", "warn", "error"];
const KV_ERRORS = ["full", "tooLarge", "notANumber", "unavailable"];
const HTTP_ERRORS = ["denied", "invalid", "tooMany", "timeout", "unreachable", "tooLarge"];
/** 2026-01-01 UTC, in nanoseconds. */
const START = 1_767_225_600_000_000_000n;
const MASK = (1n << 64n) - 1n;

/** An HTTP service's refusal to answer; `reason` is a case of `HttpError`. */
export class HttpFailure extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** The host's functions for one instance. */
export class StandIns {
  constructor(instance) {
    this.instance = instance;
    /** `[level, message]` of each line. */
    this.logs = [];
    /** `[function, ...arguments]` of each call but the log's. */
    this.calls = [];
    /** `[name, kind, help, unit, bounds]` of each description of a metric. */
    this.descriptions = [];
    this.service = null;
    this.kvError = null;
    this.elapsed = 0n;
    this.random = 0n;
    this.keys = new Map();
  }

  /** What the module may import. */
  imports(version) {
    const named = {
      log: { write: (level, start, length) => void this.logs.push([LEVELS[level], this.#text(start, length)]) },
      clock: {
        wall: () => (this.calls.push(["clock.wall"]), START + this.elapsed),
        monotonic: () => (this.calls.push(["clock.monotonic"]), this.elapsed),
      },
      random: {
        bytes: (length, area) => this.#randomBytes(length, area),
        number: () => (this.calls.push(["random.number"]), this.#next()),
      },
      metrics: {
        add: (...raw) => this.#metric("metrics.add", ...raw),
        observe: (...raw) => this.#metric("metrics.observe", ...raw),
        describe: (...raw) => this.#describe(...raw),
      },
      kv: {
        get: (start, length, area) => this.#get(this.#text(start, length), area),
        set: (start, length, value, size, ttl, area) =>
          this.#set(this.#text(start, length), this.instance.bytes(value, size), BigInt.asUintN(64, ttl), area),
        delete: (start, length, area) => this.#delete(this.#text(start, length), area),
        add: (start, length, delta, ttl, area) =>
          this.#add(this.#text(start, length), delta, BigInt.asUintN(64, ttl), area),
      },
      "http-client": { send: (start, length, area) => this.#send(this.instance.bytes(start, length), area) },
    };
    return Object.fromEntries(
      Object.entries(named).map(([name, functions]) => [`sentinel:gateway/${name}@${version}`, functions]),
    );
  }

  #text(start, length) {
    return this.instance.bytes(start, length).toString();
  }

  #view() {
    return new DataView(this.instance.exports.memory.buffer);
  }

  /** Writes a list's pointer and length. */
  #list(bytes, area) {
    const [start, length] = this.instance.lower(bytes);
    this.#view().setUint32(area, start, true);
    this.#view().setUint32(area + 4, length, true);
  }

  /** Writes an error of `kv`, whose place depends on the result's type. */
  #failed(error, area, payload) {
    if (error === null) return false;
    this.#view().setUint8(area, 1);
    this.#view().setUint8(area + payload, KV_ERRORS.indexOf(error));
    return true;
  }

  /** Why a call of `kv` fails, or null; keys that have expired are gone. */
  #trouble(key, value = "") {
    for (const [name, { expires }] of this.keys) if (expires !== null && expires <= this.elapsed) this.keys.delete(name);
    if (Buffer.byteLength(key) > 1024 || value.length > 65_536) return "tooLarge";
    return this.kvError;
  }

  #expiry(ttl) {
    return ttl ? this.elapsed + ttl * 1_000_000n : null;
  }

  #get(key, area) {
    this.calls.push(["kv.get", key]);
    if (this.#failed(this.#trouble(key), area, 4)) return;
    const entry = this.keys.get(key);
    this.#view().setUint8(area, 0);
    this.#view().setUint8(area + 4, entry ? 1 : 0);
    if (entry) this.#list(entry.value, area + 8);
  }

  #set(key, value, ttl, area) {
    this.calls.push(["kv.set", key, value.toString(), Number(ttl)]);
    if (this.#failed(this.#trouble(key, value), area, 1)) return;
    this.keys.set(key, { value, expires: this.#expiry(ttl) });
    this.#view().setUint8(area, 0);
  }

  #delete(key, area) {
    this.calls.push(["kv.delete", key]);
    if (this.#failed(this.#trouble(key), area, 1)) return;
    this.#view().setUint8(area, 0);
    this.#view().setUint8(area + 1, this.keys.delete(key) ? 1 : 0);
  }

  #add(key, delta, ttl, area) {
    this.calls.push(["kv.add", key, Number(delta), Number(ttl)]);
    if (this.#failed(this.#trouble(key), area, 8)) return;
    const { value, expires } = this.keys.get(key) ?? { value: Buffer.alloc(8), expires: this.#expiry(ttl) };
    const sum = value.length === 8 ? value.readBigInt64LE() + delta : null;
    if (sum === null || sum !== BigInt.asIntN(64, sum)) return void this.#failed("notANumber", area, 8);
    const after = Buffer.alloc(8);
    after.writeBigInt64LE(sum);
    this.keys.set(key, { value: after, expires });
    this.#view().setUint8(area, 0);
    this.#view().setBigInt64(area + 8, sum, true);
  }

  #send(record, area) {
    const [method, url, fields, content, timeout] = unpack(record);
    const headers = fields.map(([name, value]) => [name, value.toString()]);
    const request = { method, url, headers, content: content.toString(), timeout };
    this.calls.push(["http.send", request]);
    try {
      if (!this.service) throw new HttpFailure("unreachable");
      const { status = 200, headers: sent = [], body = "" } = this.service(request);
      const answer = pack([status, sent.map(([name, value]) => [name, Buffer.from(value)]), Buffer.from(body)]);
      this.#list(answer, area + 4);
      this.#view().setUint8(area, 0);
    } catch (failure) {
      if (!(failure instanceof HttpFailure)) throw failure;
      this.#view().setUint8(area, 1);
      this.#view().setUint8(area + 4, HTTP_ERRORS.indexOf(failure.reason));
    }
  }

  #metric(name, start, length, labels, count, value) {
    const word = (address) => this.instance.word(address);
    // More than four are not written down: the gateway drops such a call.
    const pairs = count > 4 ? null : Array.from({ length: count }, (_, index) => {
      const at = labels + 16 * index;
      return [this.#text(word(at), word(at + 4)), this.#text(word(at + 8), word(at + 12))];
    });
    this.calls.push([name, this.#text(start, length), pairs, typeof value === "bigint" ? Number(BigInt.asUintN(64, value)) : value]);
  }

  #describe(name, nameLength, kind, help, helpLength, unit, unitLength, bounds, count) {
    const told = Array.from({ length: count }, (_, index) => this.#view().getFloat64(bounds + 8 * index, true));
    const texts = [this.#text(help, helpLength), this.#text(unit, unitLength)];
    this.descriptions.push([this.#text(name, nameLength), METRIC_KINDS[kind], ...texts, told]);
  }

  #randomBytes(length, area) {
    this.calls.push(["random.bytes", length]);
    const words = Array.from({ length: Math.ceil(length / 8) }, () => {
      const word = Buffer.alloc(8);
      word.writeBigUInt64LE(this.#next());
      return word;
    });
    this.#list(Buffer.concat(words).subarray(0, length), area);
  }

  /** SplitMix64: every seed gives a sequence of its own, the same as in the Rust SDK. */
  #next() {
    this.random = (this.random + 0x9e3779b97f4a7c15n) & MASK;
    let mixed = this.random;
    mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return mixed ^ (mixed >> 31n);
  }
}
