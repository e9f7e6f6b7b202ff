// The compiler transform: finds the guest among the parsed sources, generates the exports for the
// hooks that it has, and gives them the names of the contract, which AssemblyScript has no syntax
// for.

import { CommonFlags, NodeKind, SourceKind } from "assemblyscript";
import { Transform } from "assemblyscript/transform";

import { canonicalName, HOOKS, METHODS, NEEDED_HOOKS, SYNONYMS } from "./hooks.mjs";
import { witVersion } from "./wit.mjs";

export const PACKAGE = "@sentinel-gateway/assemblyscript";

/** The generated source, which is the module's only entry. */
export const GLUE = "sentinel-guest.ts";

const ABORT = `call $~lib/${PACKAGE}/assembly/abort/abort`;

/** A mistake in the guest that the transform found: the message is for its author. */
export class GuestError extends Error {}

/**
 * Makes a transform for one compilation.
 *
 * @param result - its `hooks` are those that the transform found, once that is done
 * @param options - `sourceMap`: whether lines are to be found by one
 */
export function sentinelTransform(result, { sourceMap }) {
  return class extends Transform {
    afterParse(parser) {
      const sources = parser.sources.filter((source) => !source.internalPath.startsWith("~lib/"));
      const entry = sources.find((source) => source.sourceKind === SourceKind.UserEntry);
      const guest = findGuest(entry, sources);
      const names = Object.keys(guest.methods);
      result.hooks = names.filter((name) => name in HOOKS);
      this.tellsNeeded = names.includes(NEEDED_HOOKS.method);
      this.authors = Object.values(guest.methods).map((name) =>
        guest.binding ? `*#${name}` : `${entry.internalPath}/${name}`,
      );
      // Only the generated source exports anything from the module.
      entry.sourceKind = SourceKind.User;
      parser.parseFile(glue(guest, entry), GLUE, true);
    }

    afterCompile(module) {
      const version = witVersion();
      const binaryen = this.binaryen;
      binaryen.clearPassesToSkip();
      keepNames(module, binaryen, this.authors);
      if (sourceMap) {
        keepNames(module, binaryen, aborting(module, binaryen));
        // It lets different lines end in the same code.
        binaryen.addPassToSkip("code-folding");
      }
      for (const hook of result.hooks) {
        const name = canonicalName(hook, version);
        rename(module, hook, name);
        if (hook === "configure") rename(module, `post_${hook}`, `cabi_post_${name}`);
      }
      if (this.tellsNeeded) rename(module, NEEDED_HOOKS.method, NEEDED_HOOKS.export);
    }
  };
}

/** Keeps functions out of those that call them, so that a backtrace names them, and the lines that
 * call them. */
function keepNames(module, binaryen, patterns) {
  for (const pattern of patterns) {
    binaryen.setPassArgument("no-inline", pattern);
    module.runPasses(["no-inline"]);
  }
  binaryen.setPassArgument("no-inline", null);
}

/**
 * The library's functions that end the guest by themselves, such as `Array#__get` for an index out
 * of bounds. Where such a one is inlined, nothing is left of the line that called it.
 */
function aborting(module, binaryen) {
  const found = [];
  for (let index = 0; index < module.getNumFunctions(); ++index) {
    const { name, body } = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
    if (body && name.startsWith("~lib/") && binaryen.emitText(body).includes(ABORT)) found.push(name);
  }
  return found;
}

function rename(module, short, canonical) {
  module.removeExport(short);
  module.addFunctionExport(`${GLUE.slice(0, -3)}/${short}`, canonical);
}

/**
 * The guest: how the generated source imports it, or null for free functions, and its hooks:
 * `{ [hook]: the name that the author wrote }`.
 */
function findGuest(entry, sources) {
  const chosen = entry.statements.find((node) => node.kind === NodeKind.ExportDefault)?.declaration;
  const classes = classesOf(entry).filter((node) => extendsGuest(node, entry, sources));
  if (!classes.length) return { binding: null, methods: hooksAmong(exportedFunctions(entry), entry) };
  const exported = classes.filter(
    (node) => (node === chosen || node.is(CommonFlags.Export)) && !node.is(CommonFlags.Abstract),
  );
  if (exported.length !== 1) {
    const names = classes.map((node) => node.name.text).join(", ");
    throw new GuestError(`${entry.normalizedPath}: export exactly one class that extends Guest (found: ${names})`);
  }
  const [guest] = exported;
  const members = membersOf(guest, entry, sources);
  const constructor = members.find((node) => node.name.text === "constructor");
  if (constructor?.signature.parameters.length) {
    throw new GuestError(
      `${where(constructor)}: ${guest.name.text} is made without arguments; take what it needs in configure`,
    );
  }
  const binding = guest === chosen ? "TheGuest" : `{ ${guest.name.text} as TheGuest }`;
  return { binding, methods: hooksAmong(members, entry) };
}

function classesOf(source) {
  const declarations = source.statements.map((node) =>
    node.kind === NodeKind.ExportDefault ? node.declaration : node,
  );
  return declarations.filter((node) => node.kind === NodeKind.ClassDeclaration);
}

function exportedFunctions(entry) {
  return entry.statements.filter((node) => node.kind === NodeKind.FunctionDeclaration && node.is(CommonFlags.Export));
}

/** The methods of a class and of those that it extends, up to Guest. */
function membersOf(declaration, source, sources) {
  const own = declaration.members.filter((node) => node.kind === NodeKind.MethodDeclaration);
  const base = baseOf(declaration, source, sources);
  return base ? [...own, ...membersOf(base.declaration, base.source, sources)] : own;
}

function extendsGuest(declaration, source, sources) {
  if (!declaration.extendsType) return false;
  const name = declaration.extendsType.name.identifier.text;
  const imported = importOf(name, source);
  if (imported && imported.from.startsWith(PACKAGE)) return imported.name === "Guest";
  const base = baseOf(declaration, source, sources);
  return base !== null && extendsGuest(base.declaration, base.source, sources);
}

/** The class that a class extends, if it is among the author's sources. */
function baseOf(declaration, source, sources) {
  if (!declaration.extendsType) return null;
  const name = declaration.extendsType.name.identifier.text;
  const imported = importOf(name, source);
  for (const candidate of imported ? sources.filter((other) => other !== source) : [source]) {
    const found = classesOf(candidate).find(
      (node) => node !== declaration && node.name.text === (imported?.name ?? name),
    );
    if (found) return { declaration: found, source: candidate };
  }
  return null;
}

function importOf(name, source) {
  for (const node of source.statements) {
    if (node.kind !== NodeKind.Import) continue;
    for (const declaration of node.declarations ?? []) {
      if (declaration.name.text === name) return { name: declaration.foreignName.text, from: node.path.value };
    }
  }
  return null;
}

/** Sorts out the hooks among functions, and refuses names that were most likely meant to be one. */
function hooksAmong(functions, entry) {
  const found = {};
  for (const node of functions) {
    const name = node.name.text;
    if (METHODS.includes(name) || name === NEEDED_HOOKS.method) {
      const hook = SYNONYMS[name] ?? name;
      if (found[hook] !== undefined && found[hook] !== name) {
        throw new GuestError(`${where(node)}: ${name} and ${found[hook]} are the same hook; write one of them`);
      }
      if (node.is(CommonFlags.Static) || node.is(CommonFlags.Private) || node.is(CommonFlags.Protected)) {
        throw new GuestError(`${where(node)}: the hook ${name} has to be public and not static`);
      }
      found[hook] = name;
    } else if (
      /^on[A-Z_]/.test(name) ||
      METHODS.some((method) => distance(method.toLowerCase(), name.toLowerCase()) <= 2)
    ) {
      throw new GuestError(`${where(node)}: ${name} is not a hook; the hooks are ${METHODS.join(", ")}`);
    }
  }
  if (!Object.keys(found).some((hook) => hook !== "configure" && hook !== NEEDED_HOOKS.method)) {
    throw new GuestError(
      `${entry.normalizedPath}: no hook found: export a class that extends Guest and has one of ` +
        `${METHODS.join(", ")} besides configure`,
    );
  }
  // In the order of the contract, so that the same guest always gives the same bytes.
  return Object.fromEntries(
    [...Object.keys(HOOKS), NEEDED_HOOKS.method]
      .filter((hook) => hook in found)
      .map((hook) => [hook, found[hook]]),
  );
}

function where(node) {
  const source = node.range.source;
  return `${source.normalizedPath}:${source.lineAt(node.name.range.start)}`;
}

/**
 * How many letters have to be added, dropped, replaced or swapped with their neighbour to turn one
 * name into the other.
 */
function distance(a, b) {
  const rows = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, j) => (i && j ? 0 : i + j)),
  );
  for (let i = 1; i <= a.length; ++i) {
    for (let j = 1; j <= b.length; ++j) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}

/** The source of the exports. */
function glue(guest, entry) {
  const path = `./${entry.internalPath}`;
  const lines = [`import * as sdk from "${PACKAGE}/assembly/hooks";`];
  let receiver = "";
  if (guest.binding) {
    lines.push(`import ${guest.binding} from "${path}";`, "const guest = new TheGuest();");
    receiver = "guest.";
  } else {
    const names = Object.values(guest.methods).map((name) => `${name} as author_${name}`);
    lines.push(`import { ${names.join(", ")} } from "${path}";`);
    receiver = "author_";
  }
  lines.push(`export { cabi_realloc, sentinel_argument_area } from "${PACKAGE}/assembly/memory";`);
  for (const [hook, name] of Object.entries(guest.methods)) lines.push(exported(hook, `${receiver}${name}`));
  return lines.join("\n");
}

function exported(hook, call) {
  if (hook === "configure") {
    return `
export function configure(start: usize, length: usize): usize {
  const config = sdk.Config.open(start, length);
  const result = sdk.finishConfigure(config, ${call}(config));
  sdk.release(start, length);
  sdk.endCall();
  return result;
}
export function post_configure(area: usize): void {
  sdk.configured();
}`;
  }
  if (hook === NEEDED_HOOKS.method) return `export function ${hook}(): i32 { return ${call}(); }`;
  const { open, lists } = HOOKS[hook];
  const lowered = lists.flatMap((list) => [list, `${list}Length`]);
  if (lists[0] === "chunk") lowered.splice(2, 0, "last");
  const parameters = lowered
    .map((name) => `${name}: ${name.endsWith("Length") || lists.includes(name) ? "usize" : "i32"}`)
    .join(", ");
  const releases = lists.map((list) => `  sdk.release(${list}, ${list}Length);\n`).join("");
  const answers = hook !== "onComplete";
  return `
export function ${hook}(${parameters}): ${answers ? "usize" : "void"} {
  const record = sdk.${open}(${lowered.join(", ")});
  ${answers ? `const answer = record.finish(${call}(record))` : `${call}(record)`};
${releases}  sdk.endCall();
${answers ? "  return answer;\n" : ""}}`;
}
