import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { compileText, Instance, pack, program } from "./support.mjs";
import { canonicalName } from "../lib/hooks.mjs";

let module;

before(async () => {
  ({ module } = await compileText(program("settings.ts")));
});

function configured(config) {
  const guest = new Instance(module);
  return { problem: guest.configure(config), lines: guest.lines.map(([, line]) => line) };
}

test("defaults", () => {
  const { problem, lines } = configured({});
  assert.equal(problem, null);
  assert.deepEqual(lines, ["default -1 0.5", "false no maybe", " ", " 7 8"]);
});

test("every type", () => {
  const { problem, lines } = configured({
    text: "grün",
    int: -(2n ** 40n),
    float: 3,
    flag: true,
    maybe: "yes",
    strings: ["a", "b"],
    names: ["X-A", "b"],
    fields: { "X-B": "1", c: "" },
    limits: { most: 1, deeper: { most: 2 } },
    mixed: [null, true, 1, "s", [], {}],
    any: { a: "deep" },
  });
  assert.equal(problem, null);
  assert.deepEqual(lines, [
    "grün -1099511627776 3.0",
    "true yes",
    "a+b x-a+b",
    "x-b: 1",
    "c: ",
    "most+deeper 1 2",
    "0 true",
    "1 false",
    "2 false",
    "4 false",
    "5 false",
    "6 false",
    "deep",
  ]);
});

describe("what is wrong is refused with the key that it is about", () => {
  for (const [config, message] of [
    [{ text: 1 }, "text: expected a string, found an integer"],
    [{ int: "1" }, "int: expected an integer, found a string"],
    [{ int: null }, "int: expected an integer, found nothing"],
    [{ float: true }, "float: expected a number, found a boolean"],
    [{ flag: [] }, "flag: expected a boolean, found a list"],
    [{ strings: ["a", 2] }, "strings[1]: expected a string, found an integer"],
    [{ strings: {} }, "strings: expected a list, found a map"],
    [{ limits: 5 }, "limits: expected a map, found an integer"],
    [{ limits: { deeper: { most: "x" } } }, "limits.deeper.most: expected an integer, found a string"],
    [{ names: ["a b"] }, "names[0]: `a b` is not a header name"],
    [{ names: [""] }, "names[0]: `` is not a header name"],
    [{ names: ["grün"] }, "names[0]: `grün` is not a header name"],
    [{ fields: { Host: "h" } }, "fields: the header `host` belongs to the gateway"],
    [{ fields: { a: "1\n2" } }, "fields.a: a header's value cannot hold control characters"],
    [{ fields: { a: 1 } }, "fields.a: expected a string, found an integer"],
    [{ txt: "misspelt" }, "unknown key `txt`"],
    [{ limits: { deeper: { mots: 1 } } }, "limits.deeper: unknown key `mots`"],
    [{ strict: true }, "missing key `needed`"],
    [{ own: 1, text: 1 }, "a message of the guest's own"],
    [{ lenient: 1, text: 1 }, "text: expected a string, found an integer"],
  ]) {
    test(message, () => assert.equal(configured(config).problem, message));
  }

  test("unknown keys, unless the guest looks away", () =>
    assert.equal(configured({ lenient: 1, whatever: 2 }).problem, null));
});

test("a malformed configuration traps with a message", () => {
  const trapOf = (bytes) => {
    const guest = new Instance(module);
    return guest.trapOf(() => guest.exports[canonicalName("configure", "0.1.0")](...guest.lower(bytes)));
  };
  assert.match(trapOf(pack({ a: 1 }).subarray(0, 2)), /^truncated: /);
  assert.match(trapOf(Buffer.concat([pack({}), pack(1)])), /^the configuration has bytes after its end/);
  assert.match(
    trapOf(Buffer.concat([pack({}).fill(0x81), pack(1), pack(1)])),
    /^expected a string, found type byte 0x01/,
  );
  const deep = Buffer.concat([Buffer.from([0x81]), pack("mixed"), Buffer.alloc(20, 0x91), pack(1)]);
  assert.match(trapOf(deep), /^the configuration is nested too deeply at mixed/);
});

test("a configuration that is not what TOML can say is refused", () => {
  const refused = (bytes) => {
    const guest = new Instance(module);
    return guest.configureBytes(bytes);
  };
  assert.equal(refused(pack("text")), "expected a map, found a string");
  assert.equal(refused(pack([{}])), "expected a map, found a list");
  const text = Buffer.concat([Buffer.from([0x81]), pack("text"), Buffer.from([0xa2, 0xc3, 0x28])]);
  assert.equal(refused(text), "text: the string is not UTF-8");
  const key = Buffer.concat([Buffer.from([0x81, 0xa2, 0xc3, 0x28]), pack("x")]);
  assert.equal(refused(key), "a key: the string is not UTF-8");
});
