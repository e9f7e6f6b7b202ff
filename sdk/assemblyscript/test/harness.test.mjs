import assert from "node:assert/strict";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Harness, HttpFailure } from "../lib/testing/harness.mjs";
import { pack, unpack } from "../lib/testing/msgpack.mjs";

let module;
let harness;

before(async () => {
  module = await Harness.compile(fileURLToPath(new URL("programs/busy.ts", import.meta.url)));
});

const begin = (options) => void (harness = new Harness(module, options));
/** What the guest says of one of its calls of the host. */
const call = (name) => harness.onRequest({ method: "CALL", path: `/${name}` }).response.content;

test("it shows what becomes of a request", () => {
  begin();
  const action = harness.onRequest({ path: "/a", headers: [["X-Old", "0"], ["x-kept", "2"]] });
  assert.equal(action.response, null);
  assert.deepEqual([action.header("X-New"), action.header("x-old")], ["1", null]);
  assert.deepEqual(action.headers, [["x-kept", "2"], ["x-new", "1"]]);
  assert.deepEqual(action.edits, {
    headers: [["set", "x-new", "1"], ["remove", "x-old"]],
    path: null, query: null, method: null, upstream: null, body: { mode: "buffer", limit: 9 },
  });
});

test("a response can be read, by the guest and by the test", () => {
  begin();
  const { response } = harness.onRequest({ method: "DELETE", path: "/b" });
  assert.deepEqual([response.status, response.content, response.header("ALLOW")], [405, "no", "GET"]);
  assert.deepEqual(response.headers, [["allow", "GET"], ["x-grün", "ü"]]);
  assert.deepEqual(harness.logs(), [["info", "GETütrueno0"]]);
});

test("it hands the context on", () => {
  begin();
  harness.onRequest({ path: "/a" });
  assert.equal(harness.context.toString(), "/a");
  const action = harness.onResponse();
  assert.deepEqual([action.response, action.edits.status, action.header("x-path")], [null, 201, "/a"]);
  assert.equal(harness.onResponse({ status: 500 }).response.status, 502);
  assert.deepEqual(harness.onRequestChunk("abc", false), { response: null, replacement: null, head: null });
  const { replacement, head } = harness.onRequestChunk("abc");
  assert.deepEqual([replacement.toString(), head.headers], ["/a", [["set", "x-length", "3"]]]);
  assert.equal(harness.onResponseChunk("abc").response.content, "bad");
  harness.onComplete({ status: 404 });
  assert.deepEqual(harness.logs(), [["info", "/a 404"]]);
  assert.deepEqual(harness.logs(), []);
});

test("a refused configuration is an error", () => {
  assert.throws(() => begin({ config: { limit: 0 } }), { message: "limit: at least 1" });
});

test("a hook that the guest has not is named", async () => {
  const one = await Harness.compile(fileURLToPath(new URL("programs/views.ts", import.meta.url)));
  assert.throws(() => new Harness(one).onComplete(), { message: "the guest has no onComplete" });
});

test("calls are recorded", () => {
  begin();
  for (const name of ["get", "set", "delete", "add", "clock", "random", "metrics"]) call(name);
  assert.equal(call("http"), "the target could not be reached");
  assert.deepEqual(harness.calls(), [
    ["kv.get", "k"],
    ["kv.set", "k", "v", 2000],
    ["kv.delete", "k"],
    ["kv.add", "k", 2, 0],
    ["clock.wall"],
    ["clock.monotonic"],
    ["random.number"],
    ["random.bytes", 9],
    ["metrics.add", "m", [["a", "b"]], 4],
    ["metrics.observe", "o", [], 0.5],
    ["http.send", { method: "POST", url: "http://a/", headers: [["x-a", "1"]], content: "body", timeout: 7 }],
  ]);
  assert.deepEqual(harness.calls(), []);
  assert.deepEqual(harness.descriptions(), [
    ["m", "counter", "Größe.", "", []],
    ["o_bytes", "histogram", "", "bytes", [1, 2.5]],
  ]);
});

test("keys expire by the clock that a test moves", () => {
  begin();
  assert.equal(call("clock"), "1767225600000000000 0");
  call("set");
  harness.advanceClock(1999);
  assert.equal(call("get"), "v");
  harness.advanceClock(1);
  assert.equal(call("get"), "none");
  assert.equal(call("clock"), "1767225602000000000 2000000000");
});

test("stand-ins fail as the gateway does", () => {
  begin();
  assert.equal(call("long"), "the key or the value is too long");
  call("set");
  assert.equal(call("add"), "0 the value is not a number, or the sum would not be one");
  harness.failKv("full");
  assert.equal(call("get"), "the quota is used up");
  harness.failKv(null);
  assert.equal(call("delete"), "true");
  assert.deepEqual([call("add"), call("add")], ["2 it went well", "4 it went well"]);
});

test("a service answers, or fails", () => {
  begin();
  harness.httpService(({ method, content }) => ({ status: 201, body: `${method} ${content}` }));
  assert.equal(call("http"), "201 POST body");
  harness.httpService(() => {
    throw new HttpFailure("timeout");
  });
  assert.equal(call("http"), "there was no answer in time");
});

test("random numbers are the same in each harness, until they are seeded", () => {
  begin();
  const first = call("random");
  // The first number of SplitMix64 with the seed 0.
  assert.ok(first.startsWith("16294208416658607535 "), first);
  begin();
  assert.equal(call("random"), first);
  harness.seedRandom(7);
  assert.notEqual(call("random"), first);
});

test("what is packed is unpacked", () => {
  const bytes = Buffer.alloc(70_000, 1);
  for (const value of [
    null, true, false, 0, 127, 128, 65_535, 65_536, 2 ** 40, 2n ** 64n - 1n, -1, -32, -33, -129, -40_000, -(2 ** 40), "", "ü".repeat(20),
    "x".repeat(300), "x".repeat(70_000), Buffer.alloc(0), bytes.subarray(0, 300), bytes, [], [[1], "a"], Array(20).fill(1),
  ])
    assert.deepEqual(unpack(pack(value)), value);
  assert.deepEqual(unpack(pack({ a: { b: 1 } })), [["a", [["b", 1]]]]);
  assert.throws(() => unpack(Buffer.of(1, 2)), /bytes are left/);
});
