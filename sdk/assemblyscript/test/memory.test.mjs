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
