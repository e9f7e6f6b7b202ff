// The conformance guest against the vectors that host and Rust SDK are held to as well.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { compile } from "../lib/build.mjs";
import { Instance, NIL, requestHead, responseHead } from "./support.mjs";

const TESTS = fileURLToPath(new URL("../../../tests/", import.meta.url));
const vectors = JSON.parse(readFileSync(`${TESTS}/vectors/vectors.json`, "utf8"));
const EMPTY = Buffer.alloc(0);

const CALLS = {
  "on-request": (guest, head = requestHead()) => guest.call("onRequest", head),
  "on-response": (guest, head = responseHead(), context = EMPTY) => guest.call("onResponse", head, context),
  "on-complete": (guest, summary, context = EMPTY) => guest.call("onComplete", summary, context),
  "on-request-chunk": (guest) => guest.call("onRequestChunk", Buffer.from("chunk"), false, EMPTY),
  "on-response-chunk": (guest) => guest.call("onResponseChunk", Buffer.from("chunk"), true, EMPTY),
};

let module;

before(async () => {
  ({ module } = await compile(`${TESTS}/conformance/assemblyscript`));
});

function configured(hook, ops) {
  const guest = new Instance(module);
  assert.equal(guest.configure({ hook, ops }), null);
  return guest;
}

describe("answers", () => {
  for (const { name, hook, ops, bytes } of vectors.answers) {
    test(`${hook}: ${name}`, () => {
      assert.equal(CALLS[hook](configured(hook, ops)).toString("hex"), bytes);
    });
  }
});

describe("records", () => {
  for (const { name, hook, bytes, context, dump } of vectors.records) {
    test(`${hook}: ${name}`, () => {
      const guest = configured(hook, [["dump"]]);
      const answer = CALLS[hook](guest, Buffer.from(bytes, "hex"), Buffer.from(context ?? "", "hex"));
      if (hook === "on-complete") assert.deepEqual(guest.lines, [["info", dump]]);
      else assert.ok(answer.subarray(-Buffer.byteLength(dump)).equals(Buffer.from(dump)), answer.toString("latin1"));
    });
  }
});

test("the other hooks answer nil", () => {
  const guest = configured("on-complete", [["dump"]]);
  for (const hook of ["on-request", "on-response", "on-request-chunk", "on-response-chunk"])
    assert.deepEqual(CALLS[hook](guest), NIL);
});
