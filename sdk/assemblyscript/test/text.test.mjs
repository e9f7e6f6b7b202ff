import assert from "node:assert/strict";
import { before, test } from "node:test";

import { compileText, Instance, pack, program, requestHead } from "./support.mjs";

let guest;

before(async () => {
  guest = new Instance((await compileText(program("text.ts"))).module);
});

const answer = (method, text) =>
  guest.call("onRequest", requestHead({ method, headers: [["x", text]] })).toString();

test("a JSON object escapes what must be escaped", () => {
  for (let byte = 0; byte < 0x80; ++byte) {
    const text = `~${String.fromCharCode(byte)}ü`;
    const written = answer("JSON", text);
    const object = written.slice(written.indexOf("{"));
    assert.deepEqual(Object.keys(JSON.parse(object)), [text, "n", "yes"]);
    assert.equal(JSON.parse(object)[text], text);
    assert.ok(object.endsWith(',"n":18446744073709551615,"yes":""}'), object);
  }
});

test("a media type has no parameters", () => {
  for (const [contentType, expected] of [
    ["text/html", "text/html"],
    ["Text/HTML; charset=utf-8", "text/html"],
    ["application/json;charset=utf-8", "application/json"],
    ["application/json\t; a=b", "application/json"],
    ["", ""],
    ["; charset=utf-8", ""],
  ]) {
    const bytes = guest.call("onRequest", requestHead({ method: "TYPE", headers: [["x", contentType]] }));
    assert.deepEqual(bytes, pack([1, [[200, [], Buffer.from(expected)]]]));
  }
});
