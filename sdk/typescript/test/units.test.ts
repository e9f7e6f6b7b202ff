import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { configSchema, readConfig, type Schema } from "../src/config.ts";
import { equalSecrets, Guest, http, kv, metrics, type Request, Response, type ResponseChunk } from "../src/index.ts";
import { pack, unpack, type Value } from "../src/msgpack.ts";
import { GuestPromise, settled } from "../src/promise.ts";
import { Runner } from "../src/runner.ts";
import { Harness } from "../src/testing.ts";
import { decodeText, encodeText } from "../src/text.ts";

describe("values come back as they were", () => {
  const numbers = [
    0,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2 ** 32,
    2 ** 53,
    -1,
    -32,
    -33,
    -128,
    -129,
    -70000,
    -(2 ** 40),
    1.5,
  ];
  const texts = ["", "a".repeat(31), "a".repeat(32), "ü".repeat(200), "🔑€", "b".repeat(70000)];
  const others: Value[] = [null, true, false, [], Array(16).fill(1), Array(70000).fill(null), { a: { b: [1, "c"] } }];
  for (const value of [...numbers, ...texts, ...others]) {
    test(JSON.stringify(value).slice(0, 40), () =>
      assert.equal(JSON.stringify(unpack(pack(value))), JSON.stringify(value)),
    );
  }
  test("bytes", () => {
    for (const length of [0, 255, 256, 70000])
      assert.equal((unpack(pack(new Uint8Array(length))) as Uint8Array).length, length);
  });
});

test("what is not UTF-8 is replaced", () => {
  assert.equal(decodeText(new Uint8Array([0x61, 0xff, 0xc3, 0xbc, 0xe2, 0x82])), "a\ufffdü\ufffd\ufffd");
  assert.deepEqual([...encodeText("\ud800a")], [0xef, 0xbf, 0xbd, 0x61]);
});

test("secrets are equal or not", () => {
  for (const [one, other, equal] of [
    ["a", "a", true],
    ["a", "b", false],
    ["a", "ab", false],
    ["ab", "a", false],
    ["", "", true],
  ] as const)
    assert.equal(equalSecrets(one, other), equal);
});

describe("configurations", () => {
  const schema = configSchema({
    type: "object",
    properties: {
      name: { type: "string", minLength: 1 },
      size: { type: "integer", default: 5, maximum: 9 },
      kind: { enum: ["a", "b"], default: "a" },
      inner: { type: "object", properties: { on: { type: "boolean", default: true } }, additionalProperties: false },
      list: { type: "array", items: { type: "number" } },
      map: { type: "object", additionalProperties: { type: "string" } },
    },
    required: ["name"],
    additionalProperties: false,
  });
  test("defaults", () => {
    const read = JSON.parse(JSON.stringify(readConfig(schema, { name: "n" })));
    assert.deepEqual(read, { name: "n", size: 5, kind: "a", inner: { on: true }, list: [], map: {} });
  });
  const refused: [object, string][] = [
    [{}, "name: is missing"],
    [{ name: "" }, "name: at least 1 characters"],
    [{ name: 1 }, "name: expected text"],
    [{ name: "n", size: 10 }, "size: at most 9"],
    [{ name: "n", size: 1.5 }, "size: expected a whole number"],
    [{ name: "n", kind: "c" }, "kind: one of a, b is needed"],
    [{ name: "n", inner: { off: 1 } }, "inner.off: there is no such key"],
    [{ name: "n", list: [1, "2"] }, "list[1]: expected a number"],
    [{ name: "n", map: { secret: 1 } }, "map.*: expected text"],
  ];
  for (const [value, message] of refused)
    test(message, () => assert.throws(() => readConfig(schema as Schema, value), { name: "ConfigError", message }));
});

describe("promises", () => {
  const wait = <T>(value: T) => GuestPromise.resolve(value);
  test("of all kinds are settled when the hook returns", () => {
    assert.equal(settled(wait(1).then((n: number) => wait(n + 1))), 2);
    assert.deepEqual(settled(GuestPromise.all([1, wait(2)])), [1, 2]);
    assert.equal(settled(GuestPromise.race([wait(1), wait(2)])), 1);
    assert.equal(settled(GuestPromise.any([GuestPromise.reject(1), wait(2)])), 2);
    assert.equal(settled(GuestPromise.reject(1).catch((n: number) => n + 1)), 2);
    assert.equal(settled(wait(1).finally(() => 2)), 1);
  });
  test("that are rejected throw", () => {
    assert.throws(
      () =>
        settled(
          wait(1).then(() => {
            throw new Error("no");
          }),
        ),
      /no/,
    );
    assert.throws(() => settled(GuestPromise.all([wait(1), GuestPromise.reject(new Error("no"))])), /no/);
  });
  test("that nothing settles are told", () => {
    assert.throws(() => settled(new GuestPromise(() => {})), /nothing settles/);
  });
});

class Asking extends Guest {
  configure(): void {
    metrics.describe("questions", "counter", { help: "Questions." });
    metrics.describe("age_seconds", "histogram", { unit: "seconds", bounds: [1, 60] });
  }

  async onRequest(request: Request): Promise<Response | null> {
    kv.set("seen", request.path);
    const answer = await http.get("http://service/");
    if (answer.status !== 200) return Response.json({ error: "denied" }, 403);
    request.headers.set("x-answer", answer.text());
    request.setContext("left");
    return null;
  }

  onResponseChunk(chunk: ResponseChunk): void {
    chunk.head.headers.set("x-length", String(chunk.bytes.length));
    chunk.replace(decodeText(chunk.bytes).toUpperCase());
  }
}

describe("the harness", () => {
  test("shows edits, context and what the host was asked", async () => {
    const harness = new Harness(Asking);
    harness.host.service = () => new Response(200, {}, "yes");
    const result = await harness.onRequest({ path: "/a" });
    assert.equal(result.response, null);
    assert.equal(result.header("x-answer"), "yes");
    assert.equal(decodeText(result.context), "left");
    assert.equal(decodeText(harness.host.store.get("seen")!), "/a");
    assert.equal(harness.host.requests[0]?.url, "http://service/");
  });
  test("shows answers and failures", async () => {
    const harness = new Harness(Asking);
    harness.host.service = () => new Response(500);
    assert.equal((await harness.onRequest()).response?.status, 403);
    harness.host.service = () => "timeout";
    await assert.rejects(harness.onRequest(), { name: "HttpError", reason: "timeout" });
  });
  test("shows what the guest says of its metrics", () => {
    assert.deepEqual(new Harness(Asking).host.descriptions, [
      ["questions", "counter", "Questions.", "", []],
      ["age_seconds", "histogram", "", "seconds", [1, 60]],
    ]);
  });
  test("shows what became of a chunk", async () => {
    const result = await new Harness(Asking).onResponseChunk("abc");
    assert.deepEqual(result.edits, [["set", "x-length", "3"]]);
    assert.equal(decodeText(result.chunk!), "ABC");
  });
});

test("a configuration that is not UTF-8 is refused", () => {
  const runner = new Runner(Asking);
  for (const bytes of ["81a161a2c328", "81a2c328a161"])
    assert.throws(() => runner.configure(Buffer.from(bytes, "hex")), { name: "ConfigError", message: /not UTF-8/ });
});
