// The README's guest and its unit test, as a project has them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";

function write(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

function project(): string {
  const folder = mkdtempSync(join(tmpdir(), "sentinel-readme-"));
  write(folder, "package.json", '{"type": "module", "sentinel": {"main": "src/index.ts"}}');
  write(folder, "tsconfig.json", '{"extends": "@sentinel-gateway/sdk/tsconfig.guest.json", "include": ["src"]}');
  mkdirSync(join(folder, "node_modules/@sentinel-gateway"), { recursive: true });
  symlinkSync(resolve("."), join(folder, "node_modules/@sentinel-gateway/sdk"));
  return folder;
}

function command(...words: string[]): { status: number | null; output: string } {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["bin/sentinel-ts.mjs", ...words], {
    env,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

test("the guest of the README and its test", () => {
  const folder = project();
  for (const [, name, code] of readFileSync("README.md", "utf8").matchAll(/```ts\n\/\/ (\S+)\n(.*?)```/gs))
    write(folder, name!, code!);
  const { status, output } = command("test", folder);
  assert.equal(status, 0, output);
  assert.match(output, /pass 1\b/);
});

const REFUSED: [string, string, RegExp][] = [
  [
    "a type that does not fit",
    "export default class A extends Guest { onRequest(): number { return 1; } }",
    /index\.ts\(2,\d+\): error TS/,
  ],
  ["a hook that is none", "export default class A extends Guest { onReqest(): void {} }", /onReqest is no hook/],
  ["a class without a hook", "export default class A extends Guest { other(): void {} }", /the guest has no hook/],
  ["something else than a class", "export default Guest.name;", /has to be a class that extends Guest/],
  ["a module of Node", 'import "node:fs"; export default class A extends Guest { onRequest(): void {} }', /node:fs/],
];
for (const [name, code, message] of REFUSED) {
  test(`${name} does not build`, () => {
    const folder = project();
    write(folder, "src/index.ts", `import { Guest } from "@sentinel-gateway/sdk";\n${code}\n`);
    const { status, output } = command("build", folder, folder);
    assert.equal(status, 1, output);
    assert.match(output, message);
  });
}
