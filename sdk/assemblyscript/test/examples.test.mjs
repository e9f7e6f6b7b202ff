// The example guests against the case table that the Rust guests are held to as well.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { compile } from "../lib/build.mjs";
import { Instance, NIL, pack } from "./support.mjs";

const EXAMPLES = fileURLToPath(new URL("../../../guest-examples/", import.meta.url));
const ORIGINS = ["upstream", "guest", "gateway"];
const METHODS = {
  "on-request": "onRequest",
  "on-response": "onResponse",
  "on-request-chunk": "onRequestChunk",
  "on-response-chunk": "onResponseChunk",
};
const KINDS = { set: 0, append: 1, remove: 2 };

function record(hook, head) {
  const fields = { ...head, headers: head.headers.map(([name, value]) => [name, Buffer.from(value)]) };
  if (hook === "on-response") fields.origin = ORIGINS.indexOf(fields.origin);
  return pack(Object.values(fields));
}

function trimmed(fields, defaults) {
  let count = fields.length;
  while (count > 0 && JSON.stringify(fields[count - 1]) === JSON.stringify(defaults[count - 1])) --count;
  return fields.slice(0, count);
}

const field = ([name, value]) => [name, Buffer.from(value)];

/** The bytes of the answer that a case expects. */
function expected(hook, expect) {
  if (expect.action === "nothing") return NIL;
  if (expect.action === "respond") {
    const response = [expect.status, (expect.headers ?? []).map(field), Buffer.from(expect.body ?? "")];
    return pack([
      1,
      hook === "on-request"
        ? trimmed([response, Buffer.from(expect.context ?? "")], [null, Buffer.alloc(0)])
        : response,
    ]);
  }
  const edits = (expect.edits ?? []).map(([kind, ...rest]) => [KINDS[kind], kind === "remove" ? rest[0] : field(rest)]);
  const { path = null, query = null, method = null, upstream = null, status = null } = expect;
  const body = expect.body === "stream" ? [1] : expect.body ? [2, expect.body[1]] : null;
  const fields =
    hook === "on-request"
      ? [edits, Buffer.from(expect.context ?? ""), path, query, method, upstream, body]
      : [edits, status, body];
  const defaults = hook === "on-request" ? [[], Buffer.alloc(0), null, null, null, null, null] : [[], null, null];
  return pack([0, trimmed(fields, defaults)]);
}

/** The arguments of a chunk hook for each chunk of each body. */
function chunkCalls({ bodies, context = "" }) {
  return bodies.flatMap((body) =>
    body.map((chunk, index) => [
      typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk.hex, "hex"),
      index === body.length - 1,
      Buffer.from(context),
    ]),
  );
}

/** The bytes of the answer that a case expects to one chunk. */
function expectedChunk(answer) {
  if (answer === null) return NIL;
  if (typeof answer === "string") return pack([0, Buffer.from(answer)]);
  return pack([1, [answer.status, (answer.headers ?? []).map(field), Buffer.from(answer.body ?? "")]]);
}

for (const name of ["api-key-auth", "daily-quota", "header-injection", "json-validator", "path-rewrite", "redactor"]) {
  describe(name, () => {
    const table = JSON.parse(readFileSync(`${EXAMPLES}/cases/${name}.json`, "utf8"));
    let module;

    before(async () => {
      ({ module } = await compile(`${EXAMPLES}/assemblyscript/${name}`));
    });

    for (const entry of table.cases) {
      const { name: title, config = {}, config_hex, hook, head = {}, expect, context = "" } = entry;
      test(title, () => {
        const guest = new Instance(module);
        const problem = guest.configureBytes(config_hex ? Buffer.from(config_hex, "hex") : pack(config));
        if (expect.action === "error") {
          assert.ok(problem?.includes(expect.error_contains), `${problem}`);
          if (expect.error_omits) assert.ok(!problem.includes(expect.error_omits), problem);
          return;
        }
        assert.equal(problem, null);
        if (hook === "configure") return;
        if (expect.action === "chunks") {
          const answers = chunkCalls(entry).map((call) => guest.call(METHODS[hook], ...call).toString("hex"));
          assert.deepEqual(answers, expect.answers.map((answer) => expectedChunk(answer).toString("hex")));
          assert.deepEqual(guest.lines, expect.log ?? []);
          return;
        }
        const lists = [record(hook, { ...table.defaults[hook], ...head })];
        if (hook === "on-response") lists.push(Buffer.from(context));
        for (let i = 0; i < (entry.before ?? 0); ++i) guest.call(METHODS[hook], ...lists);
        assert.equal(guest.call(METHODS[hook], ...lists).toString("hex"), expected(hook, expect).toString("hex"));
        assert.deepEqual(guest.lines, expect.log ?? []);
      });
    }
  });
}
