import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { GuestError } from "./errors.mjs";

export const SDK = fileURLToPath(new URL("..", import.meta.url));
export const GRANTS = ["clock", "random", "metrics", "kv", "http-client"];

/** A project's entry and the grants that it asks for beside those of the functions that it
 * calls. */
export function readProject(folder) {
  const file = join(folder, "package.json");
  const { main, grants = [] } = JSON.parse(readFileSync(file, "utf8")).sentinel ?? {};
  if (typeof main !== "string")
    throw new GuestError(`${file}: sentinel.main is missing: the file with the guest's class`);
  const entry = resolve(folder, main);
  if (!existsSync(entry)) throw new GuestError(`${file}: sentinel.main: there is no ${main}`);
  for (const grant of grants)
    if (!GRANTS.includes(grant))
      throw new GuestError(`${file}: sentinel.grants: no grant is named ${grant} (known: ${GRANTS.join(", ")})`);
  return { entry, grants };
}
