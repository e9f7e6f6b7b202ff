// Compiles small AssemblyScript programs and calls them as the gateway does: the canonical ABI by
// hand.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import "./liftoff.mjs";

import { compile } from "../lib/build.mjs";
import { Instance as TestInstance } from "../lib/testing/instance.mjs";
import { pack } from "../lib/testing/msgpack.mjs";

export { bigEndian, pack } from "../lib/testing/msgpack.mjs";

export const PROGRAMS = fileURLToPath(new URL("programs/", import.meta.url));

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

/** An instance of a guest's core module that shows what it logged and why it trapped. */
export class Instance extends TestInstance {
  get lines() {
    return this.host.logs;
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
