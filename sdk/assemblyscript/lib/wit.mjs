import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { HOOKS } from "./hooks.mjs";

/** The interfaces that a guest may import. */
export const IMPORTS = ["log", "clock", "random", "metrics", "kv", "http-client"];

/** Where the contract is: in the repository, or in the package when that was packed. */
export function witDirectory() {
  const repository = fileURLToPath(new URL("../../../wit/", import.meta.url));
  return existsSync(`${repository}/types.wit`) ? repository : fileURLToPath(new URL("../wit/", import.meta.url));
}

const PACKAGE = /^package sentinel:gateway@([^;]+);$/m;

/** The contract's version. */
export function witVersion() {
  return PACKAGE.exec(readFileSync(`${witDirectory()}/types.wit`, "utf8"))[1];
}

/** One WIT document: the contract, and a world `guest` that exports the interfaces of these hooks
 * and nothing else. */
export function guestWorld(hooks) {
  const directory = witDirectory();
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".wit"))
    .sort();
  const interfaces = files.map((name) => readFileSync(`${directory}/${name}`, "utf8").replace(PACKAGE, ""));
  // Those that the guest's code does not use are dropped from the component.
  const imports = IMPORTS.map((name) => `  import ${name};\n`);
  const exports = hooks.map((hook) => `  export ${HOOKS[hook].interface};\n`);
  return `package sentinel:gateway@${witVersion()};\n${interfaces.join("")}
world guest {
${imports.join("")}${exports.join("")}}
`;
}
