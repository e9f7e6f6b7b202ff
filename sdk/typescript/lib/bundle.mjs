// One JavaScript file of a guest, the SDK and the packages that they use.
import * as esbuild from "esbuild";

import { GuestError } from "./errors.mjs";
import { SDK } from "./project.mjs";

const HOST = /^sentinel:gateway\/([a-z-]+)@0\.1\.0$/;
const FUNCTIONS = {
  log: ["write"],
  clock: ["wall", "monotonic"],
  random: ["bytes", "number"],
  metrics: ["add", "observe", "describe"],
  kv: ["get", "set", "add", "delete"],
  "http-client": ["send"],
};

/** The host's functions by the stand-ins for unit tests, in place of imports. */
const standIns = {
  name: "stand-ins",
  setup(build) {
    build.onResolve({ filter: HOST }, ({ path }) => ({ path: HOST.exec(path)[1], namespace: "host" }));
    build.onLoad({ filter: /.*/, namespace: "host" }, ({ path }) => {
      const calls = FUNCTIONS[path].map(
        (name) =>
          `const ${name}_ = (...values) => current()[${JSON.stringify(path)}].${name}(...values);\nexport { ${name}_ as ${name} };`,
      );
      return { contents: `import { current } from "./stand-ins.ts";\n${calls.join("\n")}`, resolveDir: `${SDK}/src` };
    });
  },
};

const COMMON = {
  bundle: true,
  format: "esm",
  write: false,
  logLevel: "silent",
  charset: "utf8",
  legalComments: "none",
};

async function run(options) {
  try {
    return await esbuild.build({ ...COMMON, ...options });
  } catch (error) {
    if (!error.errors) throw error;
    const lines = await esbuild.formatMessages(error.errors, { kind: "error", color: false });
    throw new GuestError(lines.join("\n").trim());
  }
}

/** For the interpreter in the guest. Async functions become generators: see src/promise.ts. */
export function bundleGuest(text, folder) {
  return run({
    stdin: { contents: text, resolveDir: folder, sourcefile: "sentinel-component.mjs" },
    absWorkingDir: folder,
    external: ["sentinel:gateway/*"],
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import", "module", "default"],
    target: "es2022",
    supported: { "async-await": false, "async-generator": false, "for-await": false, "top-level-await": false },
    metafile: true,
    sourcemap: "external",
    outfile: "guest.mjs",
  });
}

/** For Node, with stand-ins for the host. */
export function bundleForNode(entries, folder, options) {
  return run({
    ...entries,
    absWorkingDir: folder,
    platform: "node",
    target: "node20",
    plugins: [standIns],
    ...options,
  });
}
