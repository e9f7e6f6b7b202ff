// Files beside a guest's sources that become custom sections of its file.

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { customSection } from "./sections.mjs";
import { GuestError } from "./transform.mjs";

/**
 * The section `section` for the JSON file `name` beside the guest's source file `entry`, or beside
 * the folder `assembly` that this is in; ready to be put at the end of a component, and empty
 * without the file. `check` throws for content that cannot be meant.
 */
export function guestSection(entry, name, section, check) {
  const folder = dirname(resolve(entry));
  const file = join(basename(folder) === "assembly" ? dirname(folder) : folder, name);
  if (!existsSync(file)) return Buffer.alloc(0);
  const content = readFileSync(file);
  try {
    check(JSON.parse(content));
  } catch (error) {
    throw new GuestError(`${file}: ${error.message}`);
  }
  return customSection(section, content);
}
