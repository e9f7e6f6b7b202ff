// Holds the SDK to the WIT: the names that it exports and imports, and the copy of the contract
// that is packed with it.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { copyWit } from "../lib/pack.mjs";
import { HOOKS } from "../lib/hooks.mjs";
import { IMPORTS, guestWorld, witVersion } from "../lib/wit.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WIT = fileURLToPath(new URL("../../../wit/", import.meta.url));
const files = readdirSync(WIT).filter((name) => name.endsWith(".wit"));
const contract = files.map((name) => readFileSync(join(WIT, name), "utf8")).join("\n");

/** The body of the block that begins with `head {`. */
function block(head) {
  const start = contract.indexOf(`${head} {`);
  assert.ok(start >= 0, head);
  const [body] = contract
    .slice(start + head.length + 2)
    .split("\n}", 1)[0]
    .split("\n    }", 1);
  return body;
}

/** The camel-case names of a block's items. */
function names(head) {
  const items = block(head)
    .replace(/\/\/\/.*/g, "")
    .match(/^\s*%?([a-z][a-z0-9-]*)[,:(]/gm);
  return items.map((item) => item.replace(/[\s%,:(]/g, "").replace(/-([a-z])/g, (_, letter) => letter.toUpperCase()));
}

const source = (name) => readFileSync(join(ROOT, "assembly", `${name}.ts`), "utf8");

test("every exported interface of the contract is a hook, and the other way round", () => {
  const exported = [...contract.matchAll(/^ {4}export ([a-z-]+);/gm)].map(([, name]) => name).sort();
  assert.deepEqual(
    Object.values(HOOKS)
      .map((hook) => hook.interface)
      .sort(),
    exported,
  );
  for (const hook of Object.values(HOOKS))
    assert.match(contract, new RegExp(`interface ${hook.interface} \\{[^}]* ${hook.function}: func`));
});

test("the hooks' parameters are those of the contract", () => {
  for (const hook of Object.values(HOOKS)) {
    const [, parameters] = contract.match(new RegExp(` ${hook.function}: func\\(([^)]*)\\)`));
    const lists = [...parameters.matchAll(/([a-z]+): list<u8>/g)].map(([, name]) => name);
    if (hook.lists) assert.deepEqual(hook.lists, lists);
  }
});

test("every function that the contract offers is imported under its name and version", () => {
  for (const name of IMPORTS) {
    const functions = [...readFileSync(join(WIT, `${name}.wit`), "utf8").matchAll(/^ {4}([a-z-]+): func/gm)].map(([, item]) => item);
    assert.ok(functions.length, name);
    for (const item of functions)
      assert.ok(source(name).includes(`@external("sentinel:gateway/${name}@${witVersion()}", "${item}")`), item);
  }
  assert.deepEqual(
    [...new Set([...contract.matchAll(/^ {4}import ([a-z-]+);/gm)].map(([, name]) => name))].sort(),
    [...IMPORTS].sort(),
  );
});

test("the views have every field of their records", () => {
  for (const [record, file, head] of [
    ["request-head", "request", "Request"],
    ["response-head", "incoming-response", "IncomingResponse"],
    ["summary", "summary", "Summary"],
  ]) {
    const body = source(file).split(`export class ${head} `)[1];
    for (const field of names(`record ${record}`))
      assert.match(body, new RegExp(`get ${field}\\(\\)`), `${record}: ${field}`);
  }
});

test("enums have the contract's cases in its order", () => {
  const cases = (file, name) =>
    [
      ...source(file)
        .split(`export enum ${name} {`)[1]
        .split("}")[0]
        .replace(/\/\*\*[^]*?\*\//g, "")
        .matchAll(/(\w+),/g),
    ].map(([, item]) => item);
  assert.deepEqual(cases("incoming-response", "Origin"), names("enum response-origin"));
  assert.deepEqual(cases("summary", "Outcome"), names("enum outcome"));
  assert.deepEqual(cases("log", "Level"), names("enum level"));
  assert.deepEqual(cases("body", "BodyKind"), names("variant body-mode"));
});

test("a world exports the interfaces that are asked for and nothing else", () => {
  const world = guestWorld(["configure", "onComplete"]).split("world guest {")[1];
  assert.deepEqual(world.match(/(import|export) [a-z-]+/g), [
    ...IMPORTS.map((name) => `import ${name}`),
    "export lifecycle",
    "export completion-handler",
  ]);
});

test("packing copies the contract, byte for byte", () => {
  const folder = mkdtempSync(join(tmpdir(), "sentinel-asc-"));
  try {
    writeFileSync(join(folder, "stale.wit"), "");
    copyWit(folder);
    assert.deepEqual(readdirSync(folder).sort(), files.sort());
    for (const name of files) assert.deepEqual(readFileSync(join(folder, name)), readFileSync(join(WIT, name)));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the lock files name no registry", () => {
  for (const name of ["../package-lock.json", "../../../guest-examples/assemblyscript/package-lock.json"]) {
    const lock = JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
    for (const [path, { resolved, link }] of Object.entries(lock.packages))
      assert.ok(resolved === undefined || link, path);
  }
});
