import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { componentWit, metadataShow } from "@bytecodealliance/jco-transpile/wasm-tools";

const COMMAND = fileURLToPath(new URL("../bin/sentinel-asc.mjs", import.meta.url));
const GUEST = `import { Guest, Request, Response } from "@sentinel-gateway/assemblyscript";

export class Sample extends Guest {
  onRequest(request: Request): Response | null {
    return null;
  }
}
`;

let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "sentinel-asc-"));
});

after(() => rmSync(folder, { recursive: true }));

function run(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], { cwd: folder, encoding: "utf8" });
  return { status, stdout, stderr };
}

function guestFolder(name, text, file = "index.ts") {
  mkdirSync(join(folder, name, file, ".."), { recursive: true });
  writeFileSync(join(folder, name, file), text);
  return name;
}

describe("build", () => {
  let out;
  let component;

  before(() => {
    out = join(folder, "made/for/it/sample.wasm");
    const result = run("build", guestFolder("sample", GUEST, "assembly/index.ts"), "-o", out, "--source-map");
    assert.deepEqual({ ...result, stdout: "" }, { status: 0, stdout: "", stderr: "" });
    component = readFileSync(out);
    assert.equal(result.stdout, `${out}: ${component.length} bytes, onRequest\n`);
  });

  test("the component's type is the log and the interfaces of the guest's hooks", async () => {
    const world = (await componentWit(component)).split("}")[0];
    assert.deepEqual(world.match(/(import|export) [^;]+/g), [
      "import sentinel:gateway/log@0.1.0",
      "export sentinel:gateway/request-handler@0.1.0",
    ]);
  });

  test("it says what made it", async () => {
    const modules = await metadataShow(component);
    const main = modules.find(({ producers }) => producers.some(([field]) => field === "sdk"));
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    const { language, sdk, "processed-by": processedBy } = Object.fromEntries(main.producers);
    assert.deepEqual(language, [["AssemblyScript", "0.28.20"]]);
    assert.deepEqual(sdk, [["sentinel-sdk-assemblyscript", version]]);
    assert.ok(
      processedBy.some(([tool, used]) => tool === "asc" && used === "0.28.20"),
      `${processedBy}`,
    );
  });

  test("the source map names the author's file, and nothing half-written is left", () => {
    const map = JSON.parse(readFileSync(`${out}.map`, "utf8"));
    assert.ok(map.sources.includes("assembly/index.ts"), map.sources.join());
    assert.deepEqual(readdirSync(join(out, "..")).sort(), ["sample.wasm", "sample.wasm.map"]);
  });

  test("what the compiler only remarks on is shown, and the guest is built", () => {
    guestFolder("remarked", `${GUEST}WARNING("mind the gap");\n`);
    const result = run("build", "remarked", "-o", "remarked.wasm");
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /mind the gap/);
  });

  test("a self-test beside the sources is in the file, as it was written", () => {
    const cases = '[{"name": "n", "hook": "on-request", "expect": {"action": "continue"}}]';
    writeFileSync(join(folder, "sample/self-test.json"), cases);
    for (const [source, name] of [
      ["sample", "tested.wasm"],
      ["sample/assembly/index.ts", "tested-too.wasm"],
    ])
      assert.equal(run("build", source, "-o", name).status, 0);
    rmSync(join(folder, "sample/self-test.json"));
    const tested = readFileSync(join(folder, "tested.wasm"));
    const body = `\x12sentinel:self-test${cases}`;
    const section = Buffer.from(`\0${String.fromCharCode(body.length)}${body}`);
    assert.deepEqual(tested.subarray(-section.length), section);
    assert.ok(tested.equals(readFileSync(join(folder, "tested-too.wasm"))));
  });

  test("a configuration's schema beside the sources is in the file, as it was written", () => {
    const schema = '{"type": "object",\n"properties": {}}';
    writeFileSync(join(folder, "sample/config-schema.json"), schema);
    assert.equal(run("build", "sample", "-o", "described.wasm").status, 0);
    rmSync(join(folder, "sample/config-schema.json"));
    const body = `\x16sentinel:config-schema${schema}`;
    const section = Buffer.from(`\0${String.fromCharCode(body.length)}${body}`);
    assert.deepEqual(readFileSync(join(folder, "described.wasm")).subarray(-section.length), section);
  });

  test("the same sources give the same bytes, from a file as from its folder", () => {
    assert.equal(run("build", "sample/assembly/index.ts", "-o", "again.wasm").status, 0);
    assert.equal(run("build", "sample/assembly/index.ts", "-o", "once-more.wasm").status, 0);
    assert.ok(readFileSync(join(folder, "again.wasm")).equals(readFileSync(join(folder, "once-more.wasm"))));
  });
});

describe("what goes wrong is one line, and nothing is written", () => {
  const NO_HOOK = "no hook found: export a class that extends Guest and has one of";
  for (const [what, files, args, status, message] of [
    ["no arguments", {}, [], 2, "expected: build <folder or entry.ts> -o <out.wasm>"],
    ["no output", { a: GUEST }, ["build", "a"], 2, "expected: build <folder or entry.ts> -o <out.wasm>"],
    ["an unknown option", { a: GUEST }, ["build", "a", "-o", "x.wasm", "--fast"], 2, "Unknown option '--fast'"],
    ["no such folder", {}, ["build", "missing", "-o", "x.wasm"], 1, "missing: no such file or folder"],
    [
      "an empty folder",
      { "empty/assembly": null },
      ["build", "empty", "-o", "x.wasm"],
      1,
      "empty: no assembly/index.ts or index.ts in it",
    ],
    [
      "a self-test that is no JSON",
      { t: GUEST, "t/self-test.json": "[" },
      ["build", "t", "-o", "x.wasm"],
      1,
      "self-test.json: ",
    ],
    [
      "a configuration's schema that is none",
      { t: GUEST, "t/self-test.json": "[]", "t/config-schema.json": "[]" },
      ["build", "t", "-o", "x.wasm"],
      1,
      "config-schema.json: expected a schema, an object",
    ],
    ["no hook", { b: "export function f(): void {}" }, ["build", "b", "-o", "x.wasm"], 1, `index.ts: ${NO_HOOK}`],
    ["an output that cannot be", { a: GUEST }, ["build", "a", "-o", "a/index.ts/x.wasm"], 1, "a/index.ts"],
  ]) {
    test(what, () => {
      for (const [name, text] of Object.entries(files)) {
        if (text === null) mkdirSync(join(folder, name), { recursive: true });
        else if (name.endsWith(".json")) writeFileSync(join(folder, name), text);
        else guestFolder(name, text);
      }
      const result = run(...args);
      assert.equal(result.status, status);
      assert.ok(result.stderr.startsWith("sentinel-asc: ") && result.stderr.includes(message), result.stderr);
      assert.equal(result.stderr.trim().split("\n").length, 1, result.stderr);
      assert.equal(existsSync(join(folder, "x.wasm")), false);
    });
  }

  test("the compiler's own messages come first", () => {
    guestFolder("broken", GUEST.replace("return null", "return nil"));
    const result = run("build", "broken", "-o", "x.wasm");
    assert.equal(result.status, 1);
    assert.match(
      result.stderr,
      /^ERROR TS2304: Cannot find name 'nil'\.[^]*in index\.ts\(5,12\)[^]*\nsentinel-asc: the guest does not compile\n$/,
    );
    assert.doesNotMatch(result.stderr, /\.mjs|node:/);
    assert.equal(existsSync(join(folder, "x.wasm")), false);
  });
});
