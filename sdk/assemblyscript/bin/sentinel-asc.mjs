#!/usr/bin/env node
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";

const USAGE = `usage: sentinel-asc build <folder or entry.ts> -o <out.wasm> [--source-map]

Compiles a guest for the Sentinel gateway and makes it a component. --source-map writes <out.wasm>.map beside it.`;

class UsageError extends Error {}

function options(args) {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        out: { type: "string", short: "o" },
        "source-map": { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(error.message);
  }
  if (parsed.values.help) return { help: true };
  const [command, path, ...rest] = parsed.positionals;
  if (command !== "build" || !path || rest.length || !parsed.values.out)
    throw new UsageError("expected: build <folder or entry.ts> -o <out.wasm>");
  return { path, out: parsed.values.out, withMap: parsed.values["source-map"] ?? false };
}

/** A reader of the file never sees half of it: the gateway watches folders. */
async function write(path, contents) {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, contents);
  await rename(partial, path);
}

async function main() {
  const { help, path, out, withMap } = options(process.argv.slice(2));
  if (help) {
    console.log(USAGE);
    return;
  }
  // The compiler is WebAssembly itself and runs once, for a second or two: optimizing its code
  // costs as much again.
  setFlagsFromString("--liftoff-only");
  const { build } = await import("../lib/build.mjs");
  const { component, sourceMap, hooks, warnings } = await build(path, { sourceMap: withMap });
  if (warnings) console.error(warnings);
  await write(out, component);
  if (withMap) await write(`${out}.map`, sourceMap);
  console.log(`${out}: ${component.length} bytes, ${hooks.join(", ")}`);
}

try {
  await main();
} catch (error) {
  const rejected = error.constructor.name === "CompileError";
  if (rejected) console.error(error.message);
  console.error(`sentinel-asc: ${rejected ? "the guest does not compile" : error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
