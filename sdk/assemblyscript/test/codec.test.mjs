import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { bigEndian, compileText, Instance, pack, program, requestHead, responseHead } from "./support.mjs";

let module;
let guest;

before(async () => {
  ({ module } = await compileText(program("codec.ts")));
  guest = new Instance(module);
});

const request = (bytes) => requestHead({ headers: [["x", bytes]] });
const typed = (type, value, size) => Buffer.concat([Buffer.from([type]), bigEndian(value, size)]);
const withBody = (body) => pack([1, [[200, [], body]]]);

/** Asserts that the guest reads `bytes` and writes them as `expected`. */
function assertRewritten(bytes, expected) {
  assert.deepEqual(guest.call("onRequest", request(bytes)), withBody(expected));
}

function assertSkipped(bytes) {
  const tail = Buffer.concat([bytes, Buffer.from("tail")]);
  assert.deepEqual(
    guest.call("onResponse", responseHead(200, [["x", tail]])),
    pack([1, [200, [], Buffer.from(`${bytes.length}`)]]),
  );
}

/** The message of the trap that reading `bytes` ends in; the instance is not used again. */
function failure(hook, bytes) {
  const broken = new Instance(module);
  return broken.trapOf(() =>
    broken.call(hook, hook === "onRequest" ? request(bytes) : responseHead(200, [["x", bytes]])),
  );
}

const UNSIGNED = [
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
];
const SIGNED = [
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
];
const INTEGERS = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  -1n,
  -32n,
  -33n,
  -0x80n,
  -0x81n,
  -0x8000n,
  -0x8001n,
  -0x80000000n,
  -0x80000001n,
  -(2n ** 63n),
];

describe("integers", () => {
  for (const value of INTEGERS) {
    test(`${value} in each form that holds it`, () => {
      const shortest = pack(value);
      assertRewritten(shortest, shortest);
      assertSkipped(shortest);
      for (const [type, size] of UNSIGNED) {
        if (value >= 0n && value < 2n ** BigInt(8 * size)) assertRewritten(typed(type, value, size), shortest);
      }
      for (const [type, size] of SIGNED) {
        const limit = 2n ** BigInt(8 * size - 1);
        if (value >= -limit && value < limit) assertRewritten(typed(type, value, size), shortest);
      }
    });
  }
});

const LENGTHS = [0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536];

describe("strings and bytes", () => {
  for (const length of LENGTHS) {
    test(`${length} bytes in each form that holds them`, () => {
      const content = Buffer.alloc(length, 0x61);
      const forms = (types) => types.filter(([, size]) => length < 2 ** (8 * size));
      for (const [type, size] of forms([
        [0xd9, 1],
        [0xda, 2],
        [0xdb, 4],
      ])) {
        assertRewritten(Buffer.concat([typed(type, length, size), content]), pack(content.toString()));
        assertSkipped(Buffer.concat([typed(type, length, size), content]));
      }
      for (const [type, size] of forms([
        [0xc4, 1],
        [0xc5, 2],
        [0xc6, 4],
      ])) {
        assertRewritten(Buffer.concat([typed(type, length, size), content]), pack(content));
        assertSkipped(Buffer.concat([typed(type, length, size), content]));
      }
      assertRewritten(pack(content.toString()), pack(content.toString()));
    });
  }

  test("text beyond ASCII, with surrogate pairs", () => {
    for (const text of [
      "schlüssel",
      "日本語",
      "🔑🔑",
      "é".repeat(15),
      "é".repeat(16),
      "€".repeat(11),
      "🔑".repeat(64),
    ]) {
      assertRewritten(pack(text), pack(text));
    }
  });
});

describe("arrays and maps", () => {
  for (const length of [0, 1, 15, 16, 65535, 65536]) {
    test(`${length} values in each form that holds them`, () => {
      const values = Buffer.alloc(length, 0xc0);
      const pairs = Buffer.alloc(length * 2, 0xc0);
      const list = pack(Array(length).fill(null));
      const map =
        length < 16 ? Buffer.from([0x80 | length]) : length < 65536 ? typed(0xde, length, 2) : typed(0xdf, length, 4);
      if (length < 65536) assertRewritten(Buffer.concat([typed(0xdc, length, 2), values]), list);
      assertRewritten(Buffer.concat([typed(0xdd, length, 4), values]), list);
      if (length < 65536) assertRewritten(Buffer.concat([typed(0xde, length, 2), pairs]), Buffer.concat([map, pairs]));
      assertRewritten(Buffer.concat([typed(0xdf, length, 4), pairs]), Buffer.concat([map, pairs]));
      assertSkipped(list);
      assertSkipped(Buffer.concat([map, pairs]));
    });
  }
});

test("nil, booleans and floating-point numbers", () => {
  for (const byte of [0xc0, 0xc2, 0xc3]) assertRewritten(Buffer.from([byte]), Buffer.from([byte]));
  const wide = Buffer.from([0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
  assertRewritten(wide, wide);
  assertRewritten(Buffer.from([0xca, 0x3f, 0xc0, 0, 0]), wide);
  assertSkipped(wide);
});

test("extension types are skipped", () => {
  for (const [type, size] of [
    [0xd4, 1],
    [0xd5, 2],
    [0xd6, 4],
    [0xd7, 8],
    [0xd8, 16],
  ])
    assertSkipped(Buffer.concat([Buffer.from([type, 5]), Buffer.alloc(size)]));
  for (const [type, size] of [
    [0xc7, 1],
    [0xc8, 2],
    [0xc9, 4],
  ]) {
    for (const length of [0, 3]) assertSkipped(Buffer.concat([typed(type, length, size), Buffer.alloc(1 + length)]));
  }
});

test("a hundred thousand levels are skipped without a stack", () => {
  assertSkipped(Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.from([0xc0])]));
});

describe("malformed", () => {
  const WHOLE = [
    pack(0x80),
    pack(0x100),
    pack(0x10000),
    pack(2n ** 40n),
    pack(-33),
    pack(-0x81),
    pack(-0x8001),
    pack(-(2n ** 40n)),
    pack("ab"),
    pack("a".repeat(40)),
    pack("a".repeat(300)),
    pack("a".repeat(65536)).subarray(0, 20),
    pack(Buffer.from("ab")),
    pack(Buffer.alloc(300)).subarray(0, 20),
    pack([1, [2, "three"]]),
    pack({ a: { b: 1 } }),
    typed(0xdc, 3, 2),
    typed(0xdd, 2 ** 32 - 1, 4),
    typed(0xdf, 2 ** 32 - 1, 4),
    Buffer.from([0xcb, 1, 2, 3, 4, 5, 6, 7, 8]),
    Buffer.from([0xca, 1, 2, 3, 4]),
  ];

  for (const bytes of WHOLE) {
    test(`every truncation of ${bytes.subarray(0, 12).toString("hex")}`, () => {
      for (let length = 0; length < bytes.length; ++length) {
        assert.match(
          failure("onRequest", bytes.subarray(0, length)),
          /^truncated: \d+ bytes are due, \d+ are left \(MessagePack, offset \d+\)/,
        );
        assert.match(failure("onResponse", bytes.subarray(0, length)), /^truncated: /);
      }
    });
  }

  test("truncated extension types", () => {
    for (const hex of [
      "c7",
      "c705",
      "c70501",
      "c80001",
      "c9ffffffff",
      "c9ffffffff01",
      "d4",
      "d405",
      "d8",
      "d8050102",
    ]) {
      assert.match(failure("onResponse", Buffer.from(hex, "hex")), /^truncated: /);
    }
  });

  test("a length of four gigabytes", () => {
    for (const hex of ["dbffffffff", "c6ffffffff61", "ddffffffffc0", "dfffffffffc0"]) {
      assert.match(failure("onRequest", Buffer.from(hex, "hex")), /^truncated: /);
      assert.match(failure("onResponse", Buffer.from(hex, "hex")), /^truncated: /);
    }
  });

  test("the byte that MessagePack never uses", () => {
    assert.match(
      failure("onRequest", Buffer.from([0xc1])),
      /^expected an integer, found type byte 0xc1 \(MessagePack, offset 0\)/,
    );
    assert.match(failure("onResponse", Buffer.from([0xc1])), /^expected a value, found type byte 0xc1/);
  });
});
