// The self-test's way into the guest's file: a custom section with the cases as their author wrote them.

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { customSection } from "./sections.mjs";
import { GuestError } from "./transform.mjs";

const SECTION = "sentinel:self-test";

/**
 * The section for the cases in `self-test.json` beside the guest's source file `entry`, or beside the folder `assembly`
 * that this is in; ready to be put at the end of a component, and empty without cases.
 */
export function selfTestSection(entry) {
  const folder = dirname(resolve(entry));
  const file = join(basename(folder) === "assembly" ? dirname(folder) : folder, "self-test.json");
  if (!existsSync(file)) return Buffer.alloc(0);
  const cases = readFileSync(file);
  try {
    if (!Array.isArray(JSON.parse(cases))) throw new Error("expected an array of cases");
  } catch (error) {
    throw new GuestError(`${file}: ${error.message}`);
  }
  return customSection(SECTION, cases);
}
