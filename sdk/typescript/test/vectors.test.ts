// The conformance guest against the vectors that host and the other SDKs are held to as well.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { pack } from "../src/msgpack.ts";
import { Runner } from "../src/runner.ts";
import { StandIns, use } from "../src/stand-ins.ts";
import Conformance from "./conformance.ts";

// Where the tests are run, by `npm test` in the SDK's folder.
const vectors = JSON.parse(readFileSync("../../tests/vectors/vectors.json", "utf8"));
const NOTHING = new Uint8Array(0);
const HEAD = pack(["GET", "/a", null, [], "http", "h", "127.0.0.1", "r1", "/", "1.1"]);
const RESPONSE = pack([200, [], 0]);

function configured(hook: string, ops: unknown[]): [Runner, StandIns] {
  const standIns = new StandIns();
  use(standIns);
  const runner = new Runner(Conformance);
  runner.configure(pack({ hook, ops } as never));
  return [runner, standIns];
}

function call(runner: Runner, hook: string, record: Uint8Array | null, context: Uint8Array): Uint8Array {
  if (hook === "on-request") return runner.onRequest(record ?? HEAD) as Uint8Array;
  if (hook === "on-response") return runner.onResponse(record ?? RESPONSE, context) as Uint8Array;
  if (hook === "on-request-chunk") return runner.onRequestChunk(pack("chunk"), true, context) as Uint8Array;
  if (hook === "on-response-chunk") return runner.onResponseChunk(pack("chunk"), true, context) as Uint8Array;
  runner.onComplete(record!, context);
  return NOTHING;
}

describe("answers", () => {
  for (const { name, hook, ops, bytes } of vectors.answers) {
    test(`${hook}: ${name}`, () => {
      const [runner] = configured(hook, ops);
      assert.equal(Buffer.from(call(runner, hook, null, NOTHING)).toString("hex"), bytes);
    });
  }
});

describe("records", () => {
  for (const { name, hook, bytes, context, dump } of vectors.records) {
    test(`${hook}: ${name}`, () => {
      const [runner, standIns] = configured(hook, [["dump"]]);
      const answer = call(runner, hook, Buffer.from(bytes, "hex"), Buffer.from(context ?? "", "hex"));
      if (hook === "on-complete") assert.deepEqual(standIns.logs, [["info", dump]]);
      else assert.ok(Buffer.from(answer).toString("latin1").endsWith(dump), Buffer.from(answer).toString("latin1"));
    });
  }
});

test("a record that ends too early is an error", () => {
  const { bytes } = vectors.records.find(({ name }: { name: string }) => name === "plain request");
  for (let length = 1; length < bytes.length / 2; length++) {
    const [runner] = configured("on-request", [["dump"]]);
    assert.throws(() => call(runner, "on-request", Buffer.from(bytes.slice(0, 2 * length), "hex"), NOTHING), /record/);
  }
});
