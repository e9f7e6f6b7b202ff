import assert from "node:assert/strict";
import { test } from "node:test";

import { guestOf, pack, requestHead } from "./support.mjs";

const CALLS = 200_000;
const GUEST = `import { Config, Guest, Request, Response, IncomingResponse, Summary } from "@sentinel-gateway/assemblyscript";

export class Busy extends Guest {
  onRequest(request: Request): Response | null {
    const key = request.headers.get("x-api-key");
    if (key === null) return new Response(401).header("content-type", "text/plain").body("no key for " + request.path);
    request.headers.set("x-principal", key + "@" + request.client);
    request.headers.append("x-bytes", request.headers.getBytes("host")!);
    request.setPath("/prefix" + request.path);
    request.setContext(request.requestId);
    return null;
  }

  onComplete(summary: Summary): void {
    assert(summary.context.toString() == summary.requestId);
  }
}
`;

test(`${CALLS} calls leave the memory as it was`, async () => {
  const guest = await guestOf(GUEST);
  const allowed = requestHead();
  const refused = requestHead({ headers: [["host", "h"]] });
  const summary = pack(["r1", "GET", "/a", null, "/", "h", "127.0.0.1", "1.1", 1, 2, 200, 3, 4, 0, 0]);
  const pages = () => guest.exports.memory.buffer.byteLength / 65536;
  const run = (calls) => {
    for (let call = 0; call < calls; call += 4) {
      guest.call("onRequest", allowed);
      guest.call("onComplete", summary, Buffer.from("r1"));
      guest.call("onRequest", refused);
      guest.call("onComplete", summary, Buffer.from("r1"));
    }
  };
  run(CALLS / 10);
  const before = pages();
  run(CALLS);
  assert.equal(pages(), before);
  assert.ok(before <= 4, `${before} pages`);
});

test("one large body does not stay", async () => {
  const guest = await guestOf(`import { Guest, RequestChunk, Response } from "@sentinel-gateway/assemblyscript";
export class Upper extends Guest {
  onRequestChunk(chunk: RequestChunk): Response | null { chunk.replace(chunk.bytes); return null; }
}`);
  const body = Buffer.alloc(1 << 20, 0x61);
  const large = () => assert.equal(guest.call("onRequestChunk", body, true, Buffer.alloc(0)).length, body.length + 7);
  const pages = () => guest.exports.memory.buffer.byteLength / 65536;
  for (let call = 0; call < 20; ++call) large();
  const before = pages();
  for (let call = 0; call < 500; ++call) large();
  assert.equal(pages(), before);
  assert.ok(before <= 100, `${before} pages`);
});

test("arguments of any size are read whole, one after the other, and may move", async () => {
  const guest = await guestOf(`import { Guest, Summary } from "@sentinel-gateway/assemblyscript";
export class Compares extends Guest {
  onComplete(summary: Summary): void { assert(summary.context.toString() == summary.path); }
}`);
  const summary = (path) => pack(["r1", "GET", path, null, "/", "h", "127.0.0.1", "1.1", 1, 2, 200, 3, 4, 0, 0]);
  for (const size of [1, 7, 8, 1000, 1990, 2010, 2030, 2040, 2048, 4000, 4090, 4096, 4097, 10_000]) {
    const path = "/" + "p".repeat(size);
    for (let call = 0; call < 3; ++call) guest.call("onComplete", summary(path), Buffer.from(path));
  }
  const { cabi_realloc: realloc } = guest.exports;
  const text = Buffer.from("moved");
  const block = realloc(0, 0, 1, text.length);
  new Uint8Array(guest.exports.memory.buffer, block, text.length).set(text);
  for (const size of [64, 5000, 9000]) {
    const moved = realloc(block, text.length, 1, size);
    assert.deepEqual(guest.bytes(moved, text.length), text);
  }
});
