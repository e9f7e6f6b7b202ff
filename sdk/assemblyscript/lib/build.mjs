// From AssemblyScript sources to a component.

import { existsSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import asc from "assemblyscript/asc";

import { configSchemaSection } from "./config-schema.mjs";
import { codeOffset, customSection } from "./sections.mjs";
import { selfTestSection } from "./self-test.mjs";
import { GuestError, PACKAGE, sentinelTransform } from "./transform.mjs";
import { guestWorld } from "./wit.mjs";

export { GuestError } from "./transform.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const VERSION = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
// What AssemblyScript would import from the host, and what of this package takes its place.
const REPLACED = ["abort=abort/abort", "console=console/console", "trace=console/trace"];

/** The compiler's errors, as it prints them. */
export class CompileError extends Error {}

/** The guest's source file: `path` itself, or `assembly/index.ts` or `index.ts` in the folder
 * `path`. */
export function findEntry(path) {
  const entries = [path, join(path, "assembly", "index.ts"), join(path, "index.ts")];
  const entry = entries.find((name) => name.endsWith(".ts") && existsSync(name));
  if (!entry)
    throw new GuestError(
      existsSync(path) ? `${path}: no assembly/index.ts or index.ts in it` : `${path}: no such file or folder`,
    );
  return entry;
}

/**
 * Compiles a guest's sources to a core module with the names of the contract.
 *
 * @param options - `sourceMap`: whether to make one, which takes time
 * @returns `{ module, sourceMap, hooks, warnings }`: the module's bytes, its source map as text,
 * the hooks that it exports, and what the compiler remarked
 */
export async function compile(path, { sourceMap = false } = {}) {
  const entry = resolve(findEntry(path));
  const baseDir = statSync(path).isDirectory() ? resolve(path) : dirname(entry);
  const found = {};
  const files = {};
  const { error, stderr } = await asc.main(
    [
      relative(baseDir, entry),
      "--baseDir",
      baseDir,
      "--outFile",
      "guest.wasm",
      "--optimizeLevel",
      "3",
      "--shrinkLevel",
      "0",
      "--runtime",
      "incremental",
      "--exportStart",
      "_initialize",
      "--debug",
      ...REPLACED.flatMap((alias) => ["--use", alias.replace("=", `=~lib/${PACKAGE}/assembly/`)]),
      "--noColors",
      ...(sourceMap ? ["--sourceMap"] : []),
    ],
    {
      transforms: [sentinelTransform(found, { sourceMap })],
      stdout: asc.createMemoryStream(),
      stderr: asc.createMemoryStream(),
      readFile: (name, directory) => readSource(isAbsolute(name) ? name : join(directory, name)),
      writeFile: (name, contents) => void (files[basename(name)] = contents),
      listFiles: () => [],
    },
  );
  if (error instanceof GuestError) throw error;
  if (error)
    throw new CompileError(
      stderr
        .toString()
        .replace(/^FAILURE .*$/m, "")
        .trim() || error.message,
    );
  return {
    module: files["guest.wasm"],
    sourceMap: files["guest.wasm.map"],
    hooks: found.hooks,
    warnings: stderr.toString().trim(),
  };
}

/**
 * Reads a source; those of this package always come from here, so that what is compiled in belongs
 * to the transform beside it.
 */
async function readSource(path) {
  const [, own] = path.split(`/node_modules/${PACKAGE}/`);
  return readFile(own ? join(ROOT, own) : path, "utf8").catch(() => null);
}

/** Turns a core module into a component whose type exports exactly the interfaces of `hooks`. */
export async function componentize(module, hooks) {
  const { componentEmbed, componentNew } = await import("@bytecodealliance/jco-transpile/wasm-tools");
  const embedded = await componentEmbed({
    binary: module,
    witSource: guestWorld(hooks),
    world: "guest",
    metadata: [
      ["language", [["AssemblyScript", asc.version]]],
      ["processed-by", [["asc", asc.version]]],
      ["sdk", [["sentinel-sdk-assemblyscript", VERSION]]],
    ],
  });
  return componentNew(embedded);
}

/**
 * Builds a guest. A file `self-test.json` in its folder becomes the self-test that the gateway runs
 * when it loads the guest, a file `config-schema.json` the schema that its configuration is held
 * to; a source map, where one is asked for, names lines in backtraces there.
 *
 * @param path - a source file, or a folder with `assembly/index.ts` or `index.ts` in it
 * @param options - as for {@link compile}
 * @returns `{ component, sourceMap, hooks, warnings }`
 * @throws {@link GuestError} for what the author has to change, {@link CompileError} with the
 * compiler's diagnostics
 */
export async function build(path, options = {}) {
  // Before the compiler, which takes seconds.
  const entry = findEntry(path);
  const sections = [selfTestSection(entry), configSchemaSection(entry)];
  const { module, ...rest } = await compile(path, options);
  const component = await componentize(module, rest.hooks);
  return { component: Buffer.concat([component, ...sections, sourceMapSection(module, rest.sourceMap)]), ...rest };
}

/**
 * The section by which the gateway names lines of sources in the backtrace of a trap: a source map
 * without the sources, and where the code began in the module that it was made for. Empty without a
 * map.
 */
function sourceMapSection(module, sourceMap) {
  if (!sourceMap) return Buffer.alloc(0);
  const { version, sources, mappings } = JSON.parse(sourceMap);
  const map = { version, sources, names: [], mappings, code: codeOffset(module) };
  return customSection("sentinel:source-map", Buffer.from(JSON.stringify(map)));
}
