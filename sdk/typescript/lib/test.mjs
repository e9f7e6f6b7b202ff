// The project's unit tests: each file of test/ is bundled, since Node reads no TypeScript, and run
// by Node's test runner.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

import { checkTypes } from "./build.mjs";
import { bundleForNode } from "./bundle.mjs";

/** Node's exit code. */
export async function test(where) {
  const folder = resolve(where);
  const tests = existsSync(join(folder, "test"))
    ? readdirSync(join(folder, "test")).filter((name) => /\.test\.m?[tj]s$/.test(name))
    : [];
  if (tests.length === 0) return 0;
  checkTypes(folder);
  const out = join(folder, "build", "test");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const files = [];
  for (const name of tests) {
    const options = { outdir: out, outExtension: { ".js": ".mjs" }, sourcemap: "inline" };
    const { outputFiles } = await bundleForNode({ entryPoints: [join("test", name)] }, folder, options);
    for (const { path, contents } of outputFiles) {
      writeFileSync(path, contents);
      files.push(join("build", "test", basename(path)));
    }
  }
  const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], {
    cwd: folder,
    stdio: "inherit",
  });
  return status ?? 1;
}
