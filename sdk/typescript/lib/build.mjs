// A guest's component, and what the build has to know of it.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { bundleForNode, bundleGuest } from "./bundle.mjs";
import { GuestError } from "./errors.mjs";
import { origins } from "./origins.mjs";
import { readProject, SDK } from "./project.mjs";

const WIT = existsSync(join(SDK, "wit")) ? join(SDK, "wit") : resolve(SDK, "../../wit");
const WORLD = "typescript-guest";
const HANDLERS = [
  "lifecycle",
  "request-handler",
  "response-handler",
  "completion-handler",
  "request-body-handler",
  "response-body-handler",
];
const HOOKS = ["configure", "onRequest", "onResponse", "onComplete", "onRequestChunk", "onResponseChunk"];

/** What TypeScript has to say about a project with a tsconfig.json. */
export function checkTypes(folder) {
  if (!existsSync(join(folder, "tsconfig.json"))) return;
  const compiler = join(SDK, "node_modules", "typescript", "bin", "tsc");
  const told = spawnSync(process.execPath, [compiler, "--noEmit", "--pretty", "false", "-p", "."], {
    cwd: folder,
    encoding: "utf8",
  });
  if (told.status !== 0) throw new GuestError((told.stdout + told.stderr).trim());
}

/** The hooks of the guest's class and its schema, by evaluating it here. */
async function inspect(entry, folder, work) {
  const text = `export { default as guest } from ${JSON.stringify(entry)}; export { Guest } from "@sentinel-gateway/sdk";`;
  const alias = { "@sentinel-gateway/sdk": join(SDK, "src", "index.ts") };
  const stdin = { contents: text, resolveDir: folder };
  const { outputFiles } = await bundleForNode({ stdin }, folder, { alias, outfile: "inspected.mjs" });
  const file = join(work, "inspected.mjs");
  writeFileSync(file, outputFiles[0].contents);
  const { guest, Guest } = await import(pathToFileURL(file).href);
  const name = relative(folder, entry);
  if (typeof guest !== "function" || !(guest.prototype instanceof Guest))
    throw new GuestError(`${name}: the default export has to be a class that extends Guest`);
  const written = [];
  for (let prototype = guest.prototype; prototype !== Guest.prototype; prototype = Object.getPrototypeOf(prototype))
    written.push(...Object.getOwnPropertyNames(prototype));
  for (const method of written)
    if (/^on[A-Z]/.test(method) && !HOOKS.includes(method))
      throw new GuestError(`${name}: ${method} is no hook (known: ${HOOKS.join(", ")})`);
  const hooks = HOOKS.filter((hook) => written.includes(hook));
  if (!hooks.some((hook) => hook !== "configure")) throw new GuestError(`${name}: the guest has no hook`);
  const nothing = { type: "object", properties: {}, additionalProperties: false };
  return { hooks, schema: guest.schema ?? nothing };
}

function writeWorld(grants, work) {
  const wit = join(work, "wit");
  mkdirSync(wit);
  for (const name of readdirSync(WIT)) if (name.endsWith(".wit")) copyFileSync(join(WIT, name), join(wit, name));
  const imports = ["log", ...grants].map((name) => `  import ${name};\n`).join("");
  const exports = HANDLERS.map((name) => `  export ${name};\n`).join("");
  writeFileSync(join(wit, "guest.wit"), `package sentinel:gateway@0.1.0;\n\nworld ${WORLD} {\n${imports}${exports}}\n`);
  return wit;
}

/** The code without the comments that name files outside of the project: these depend on where it
 * is, and the same sources are to come to the same bytes. No line is lost. */
function withoutPlaces(code, inputs) {
  const comments = new Set(Object.keys(inputs).map((path) => `// ${path}`));
  const isPlace = (line) => line.startsWith("// ..") && comments.has(line);
  return code.replaceAll(/^.*$/gm, (line) => (isPlace(line) ? "//" : line));
}

function componentText(entry) {
  return `import ${JSON.stringify(join(SDK, "src", "globals.ts"))};
import { component } from ${JSON.stringify(join(SDK, "src", "component.ts"))};
import guest from ${JSON.stringify(entry)};
export const { lifecycle, requestHandler, responseHandler, completionHandler, requestBodyHandler, responseBodyHandler } =
  component(guest);
`;
}

/** Writes component.wasm and guest.json (hooks, grants, schema) into a folder. */
export async function build(where, out) {
  const folder = resolve(where);
  const { entry, grants } = readProject(folder);
  checkTypes(folder);
  const work = mkdtempSync(join(tmpdir(), "sentinel-"));
  try {
    const told = await inspect(entry, folder, work);
    const { outputFiles, metafile } = await bundleGuest(componentText(entry), folder);
    const [map, code] = ["guest.mjs.map", "guest.mjs"].map(
      (name) => outputFiles.find(({ path }) => path.endsWith(name)).text,
    );
    const [output] = Object.values(metafile.outputs).filter(({ entryPoint }) => entryPoint);
    const used = output.imports.map(({ path }) => path.replace(/^sentinel:gateway\/|@.*$/g, ""));
    const all = [...new Set([...grants, ...used])].filter((name) => name !== "log").sort();
    const isOwn = (source) =>
      !source.startsWith("..") && !source.includes("node_modules") && source !== "sentinel-component.mjs";
    const lines = JSON.stringify(origins(JSON.parse(map), isOwn));
    const { componentize } = await import("componentize-qjs");
    const { component } = await componentize({
      witPath: writeWorld(all, work),
      world: WORLD,
      jsSource: `${withoutPlaces(code, metafile.inputs)}\nglobalThis.sentinelOrigins = ${lines};\n`,
      sync: true,
    }).catch((error) => {
      throw new GuestError(error.message);
    });
    writeFileSync(join(out, "component.wasm"), component);
    writeFileSync(join(out, "guest.json"), JSON.stringify({ ...told, grants: all }));
  } finally {
    rmSync(work, { recursive: true });
  }
}
