import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { compileText, Instance, NIL, pack, program, requestHead, responseHead } from "./support.mjs";

const HEAD = requestHead({ headers: [["host", "h"]] });
const EMPTY = Buffer.alloc(0);
const bin = (text) => Buffer.from(text);
let module;

before(async () => {
  ({ module } = await compileText(program("edits.ts")));
});

function doing(what) {
  const guest = new Instance(module);
  assert.equal(guest.configure({ do: what }), null);
  return guest;
}

const PREPARED = [
  [2, "x-old"],
  [0, ["x-new", bin("1")]],
  [1, ["x-new", bin("2")]],
];
const continues = (...fields) => pack([0, fields]);

describe("a request's edits", () => {
  const CASES = {
    "every kind of value": continues([
      [0, ["a", bin("text")]],
      [1, ["b", bin("h")]],
      [0, ["c", bin("bc")]],
      [0, ["d", bin("buf")]],
      [0, ["e", bin("grün 🔑")]],
    ]),
    "prepared edits among others": continues([
      [0, ["a", bin("b")]],
      ...PREPARED,
      [1, ["c", bin("3")]],
    ]),
    "a lone surrogate": continues([[0, ["a", bin("x\ufffdy")]]]),
    // Only ASCII letters have a lower case on the wire.
    capitals: continues([[0, ["x-abcz-Ä[@`{", bin("V")]]]),
    "a long name in capitals": continues([[2, "a".repeat(65)]]),
    "edits, then an answer": pack([1, [[403, [], bin("no")], bin("state")]]),
    "an empty context": NIL,
    "take the body mode back": NIL,
    "the last word counts": continues([], bin("h"), "/two", null, null, null, [2, 70000]),
    nothing: NIL,
  };
  for (const [what, answer] of Object.entries(CASES)) {
    test(what, () => assert.equal(doing(what).call("onRequest", HEAD).toString("hex"), answer.toString("hex")));
  }

  test("a request that is lent again has nothing of the last time", () => {
    const guest = doing("the last word counts");
    for (let call = 0; call < 40; ++call) guest.call("onRequest", HEAD);
    guest.configure({ do: "nothing" });
    for (let call = 0; call < 40; ++call) assert.deepEqual(guest.call("onRequest", HEAD), NIL);
    guest.configure({ do: "every kind of value" });
    const answer = CASES["every kind of value"];
    for (let call = 0; call < 40; ++call) assert.deepEqual(guest.call("onRequest", HEAD), answer);
  });

  test("a response that was made once can be returned again", () => {
    const guest = doing("the same answer again");
    const answer = pack([1, [[503, [["x", bin("y")]], bin("down")]]]);
    for (let call = 0; call < 3; ++call) assert.deepEqual(guest.call("onRequest", HEAD), answer);
  });

  test("what one call changed is forgotten in the next", () => {
    const guest = doing("every kind of value");
    guest.call("onRequest", HEAD);
    assert.deepEqual(guest.call("onResponse", responseHead(), EMPTY), NIL);
  });
});

test("a response's edits", () => {
  const answerOf = (what) => doing(what).call("onResponse", responseHead(), EMPTY);
  assert.deepEqual(answerOf("prepared edits among others"), continues(PREPARED));
  assert.deepEqual(answerOf("status alone"), continues([], 404));
  assert.deepEqual(answerOf("take the body mode back"), NIL);
  assert.deepEqual(answerOf("buffer"), continues([], null, [2, 5]));
});

test("chunks", () => {
  const request = (what, chunk = bin("abc"), last = false, context = EMPTY) =>
    doing(what).call("onRequestChunk", chunk, last, context);
  assert.deepEqual(request("upper case"), pack([0, bin("ABC")]));
  assert.deepEqual(request("nothing in place"), pack([0, EMPTY]));
  assert.deepEqual(request("tell", EMPTY, true, bin("state")), pack([1, [200, [], bin("state/true/0")]]));
  assert.deepEqual(request("touch the head"), pack([2, [[[]]]]));
  assert.deepEqual(request("path of the held head"), pack([2, [[[], EMPTY, "/p"], bin("abc")]]));
  assert.deepEqual(request("nothing"), NIL);
  assert.deepEqual(
    doing("status of the held head").call("onResponseChunk", bin("abc"), false, EMPTY),
    pack([2, [[[[0, ["x", bin("y")]]], 418]]]),
  );
});

describe("what was lent is gone when the hook has returned", () => {
  const GONE =
    /^a value that was lent to a hook is used after that hook has returned; copy what has to live longer \(~lib\//;
  for (const [first, second] of [
    ["keep a view", "use a kept view"],
    ["keep a view", "read a kept view"],
    ["keep the request", "read the kept request"],
    ["keep the request", "edit the kept request"],
    ["keep the request", "edit the kept request beforehand"],
  ]) {
    test(`${first}, ${second}`, () => {
      const guest = doing(first);
      guest.call("onRequest", HEAD);
      guest.configure({ do: second });
      assert.match(
        guest.trapOf(() => guest.call("onRequest", HEAD)),
        GONE,
      );
    });
  }
});

test("a request that is kept for many calls is gone, too", () => {
  const guest = doing("keep the request");
  guest.call("onRequest", HEAD);
  guest.configure({ do: "nothing" });
  for (let call = 0; call < 10; ++call) guest.call("onRequest", HEAD);
  guest.configure({ do: "read the kept request" });
  assert.match(
    guest.trapOf(() => guest.call("onRequest", HEAD)),
    /^a value that was lent to a hook/,
  );
});

describe("abort tells the log what happened, and where", () => {
  for (const [what, message] of [
    ["throw", /^the sky is falling: grün \(index\.ts:\d+:\d+\)$/],
    ["assert", /^a hundred headers \(index\.ts:\d+:\d+\)$/],
    ["fall off an array", /^Index out of range \(~lib\/.*:\d+:\d+\)$/],
    ["throw a long message", /^(€long ){80,}.* \(index\.ts:\d+:\d+\)$/],
  ]) {
    test(what, () => {
      const guest = doing(what);
      assert.match(
        guest.trapOf(() => guest.call("onRequest", HEAD)),
        message,
      );
      assert.equal(guest.lines.at(-1)[0], "error");
    });
  }

  test("console and trace write to the gateway's log", async () => {
    const { module } = await compileText(`
      import { Request, Response } from "@sentinel-gateway/assemblyscript";
      export function onRequest(request: Request): Response | null {
        console.log("logged");
        console.debug("debugged");
        console.info(request.path);
        console.warn("warned");
        console.error("failed");
        console.assert(request.path.length > 100, "too short");
        console.assert(true, "not written");
        trace("traced", 2, 1, 0.5);
        trace("bare");
        return null;
      }
    `);
    const guest = new Instance(module);
    guest.call("onRequest", HEAD);
    assert.deepEqual(guest.lines, [
      ["info", "logged"],
      ["debug", "debugged"],
      ["info", "/a"],
      ["warn", "warned"],
      ["error", "failed"],
      ["error", "too short"],
      ["trace", "traced 1.0, 0.5"],
      ["trace", "bare"],
    ]);
  });

  test("the line is the one that threw", () => {
    const guest = doing("throw");
    const line =
      program("edits.ts")
        .split("\n")
        .findIndex((text) => text.includes("the sky is falling")) + 1;
    assert.ok(guest.trapOf(() => guest.call("onRequest", HEAD)).includes(`(index.ts:${line}:`));
  });
});
