import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { bigEndian, compileText, Instance, pack, program, requestHead } from "./support.mjs";

let module;

before(async () => {
  ({ module } = await compileText(program("views.ts")));
});

/** The lines that the guest shows for a request. */
function shown(head) {
  const answer = new Instance(module).call("onRequest", head).toString();
  return answer.slice(answer.indexOf("1.1 ")).split("\n");
}

const HEADERS = [
  ["x-twice", "one"],
  ["x-bytes", "grün"],
  ["x-twice", "two"],
  ["empty", ""],
];
const LINES = [
  "1.1 / r1 127.0.0.1",
  "h http",
  "?",
  "/a /a GET GET",
  "true false",
  "4 2 one+two",
  "one true false",
  "missing",
  "5 103 103,114,195,188,110",
  "true false false",
  "x-twice=one",
  "x-bytes=grün",
  "x-twice=two",
  "empty=",
];

test("every field, whichever is asked for first", () => {
  assert.deepEqual(shown(requestHead({ headers: HEADERS, query: "" })), LINES);
});

test("fields from a later version of the contract are passed over, in records within records too", () => {
  const later = [null, [1, { a: 2 }], Buffer.from("x"), 2.5 > 2, "text", -70000];
  const headers = HEADERS.map(([name, value]) => [name, Buffer.from(value), ...later]);
  const head = pack(["GET", "/a", "", headers, "http", "h", "127.0.0.1", "r1", "/", "1.1", ...later]);
  assert.deepEqual(shown(head), LINES);
});

test("heads of any width are taken", () => {
  const wide = (type, content) => Buffer.concat([Buffer.from([type]), bigEndian(content.length, 4), content]);
  const str = (text) => wide(0xdb, Buffer.from(text));
  const array = (values) => Buffer.concat([Buffer.from([0xdd]), bigEndian(values.length, 4), ...values]);
  const headers = array(HEADERS.map(([name, value]) => array([str(name), wide(0xc6, Buffer.from(value))])));
  const head = array([
    str("GET"),
    str("/a"),
    str(""),
    headers,
    ...["http", "h", "127.0.0.1", "r1", "/", "1.1"].map(str),
  ]);
  assert.deepEqual(shown(head), LINES);
});

describe("text is decoded as the Encoding Standard says", () => {
  /** What the guest makes of a header's bytes: the last line that it shows. */
  const text = (bytes) => shown(requestHead({ headers: [["v", bytes]] })).at(-1);
  const standard = (bytes) => `v=${new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)}`;

  for (const hex of [
    "61",
    "c3a9",
    "e282ac",
    "f09f9491",
    "efbbbf61",
    "c1a1646d696e",
    "c0af",
    "e080af",
    "f08080af",
    "eda080",
    "edbfbf",
    "f4908080",
    "f5808080",
    "ff",
    "80",
    "c3",
    "e282",
    "f09f94",
    "c32f",
    "e2822f61",
    "f09f942f",
    "f0908d8842",
    "e28261e282ac",
    "c3c3a9",
    "f09ff09f9491",
  ]) {
    test(hex, () => assert.equal(text(Buffer.from(hex, "hex")), standard(Buffer.from(hex, "hex"))));
  }

  test("five thousand random sequences", () => {
    let seed = 1;
    const next = (limit) => (seed = (seed * 48271) % 0x7fffffff) % limit;
    const guest = new Instance(module);
    for (let round = 0; round < 5000; ++round) {
      const bytes = Buffer.from(
        Array.from({ length: 1 + next(12) }, () => (next(3) ? 0x80 + next(0x80) : 0x20 + next(0x5f))),
      );
      const answer = guest.call("onRequest", requestHead({ headers: [["v", bytes]] })).toString();
      assert.equal(answer.slice(answer.lastIndexOf("\nv=") + 1), standard(bytes), bytes.toString("hex"));
    }
  });
});

describe("a malformed record traps with a message", () => {
  const good = requestHead({ headers: HEADERS });
  const messageOf = (bytes) => {
    const guest = new Instance(module);
    return guest.trapOf(() => guest.call("onRequest", bytes));
  };

  test("truncated anywhere", () => {
    for (let length = 1; length < good.length; ++length)
      assert.match(messageOf(good.subarray(0, length)), /^truncated: /, `${length} bytes`);
  });

  for (const [what, bytes, message] of [
    ["empty", Buffer.alloc(0), /^truncated: 1 bytes are due, 0 are left/],
    ["not an array", pack("text"), /^expected an array, found type byte 0xa4/],
    ["a field missing", pack(["GET", "/a", null, []]), /^the record has no field 9; it has 4/],
    [
      "bytes where text is due",
      pack(["GET", Buffer.from("/a"), null, [], "http", "h", "c", "r", "/", "1.1"]),
      /^expected a string, found type byte 0xc4/,
    ],
    [
      "text where bytes are due",
      pack(["GET", "/a", null, [["x-twice", "one"]], "http", "h", "c", "r", "/", "1.1"]),
      /^expected bytes, found type byte 0xa3/,
    ],
  ]) {
    test(what, () => assert.match(messageOf(bytes), message));
  }
});
