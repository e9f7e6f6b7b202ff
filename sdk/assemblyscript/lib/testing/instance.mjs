// A guest's core module, called as the gateway does: the canonical ABI by hand.

import { canonicalName } from "../hooks.mjs";
import { witVersion } from "../wit.mjs";
import { pack } from "./msgpack.mjs";
import { StandIns } from "./stand-ins.mjs";

const VERSION = witVersion();

/** An instance of a guest's core module, with stand-ins for the host's functions. */
export class Instance {
  constructor(module) {
    this.host = new StandIns(this);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module), this.host.imports(VERSION));
    this.exports = instance.exports;
    this.exports._initialize();
  }

  /** A copy of guest memory. */
  bytes(start, length) {
    return Buffer.from(new Uint8Array(this.exports.memory.buffer, start, length));
  }

  word(address) {
    return new DataView(this.exports.memory.buffer).getUint32(address, true);
  }

  /** Lowers a list into a block, as the gateway does. */
  lower(bytes) {
    const start = this.exports.cabi_realloc(0, 0, 1, bytes.length);
    new Uint8Array(this.exports.memory.buffer, start, bytes.length).set(bytes);
    return [start, bytes.length];
  }

  /** Lowers a hook's lists: those of a head into the area that the guest lends, as long as they
   * fit. */
  #lowerAll(hook, lists) {
    const lent = hook.endsWith("Chunk") ? 0n : BigInt.asUintN(64, this.exports.sentinel_argument_area());
    let start = Number(lent & 0xffff_ffffn);
    let left = Number(lent >> 32n);
    return lists.map((bytes) => {
      if (bytes.length === 0 || bytes.length > left) return this.lower(bytes);
      const place = start;
      new Uint8Array(this.exports.memory.buffer, place, bytes.length).set(bytes);
      start += bytes.length;
      left -= bytes.length;
      return [place, bytes.length];
    });
  }

  /** Calls a hook with byte strings and booleans; returns the bytes of its answer. */
  call(hook, ...args) {
    const lists = this.#lowerAll(
      hook,
      args.filter((arg) => typeof arg !== "boolean"),
    );
    const area = this.#exported(hook)(
      ...args.flatMap((arg) => (typeof arg === "boolean" ? [Number(arg)] : lists.shift())),
    );
    if (hook === "onComplete") return undefined;
    return this.bytes(this.word(area), this.word(area + 4));
  }

  /** Calls `configure`; returns its message, or null. */
  configure(config = {}) {
    return this.configureBytes(pack(config));
  }

  /** The same with the bytes of a configuration. */
  configureBytes(bytes) {
    const name = canonicalName("configure", VERSION);
    const area = this.#exported("configure")(...this.lower(bytes));
    const message =
      this.bytes(area, 1)[0] === 0 ? null : this.bytes(this.word(area + 4), this.word(area + 8)).toString();
    this.exports[`cabi_post_${name}`](area);
    return message;
  }

  /** Whether the guest has the hook. */
  has(hook) {
    return canonicalName(hook, VERSION) in this.exports;
  }

  #exported(hook) {
    if (!this.has(hook)) throw new Error(`the guest has no ${hook}`);
    return this.exports[canonicalName(hook, VERSION)];
  }
}
