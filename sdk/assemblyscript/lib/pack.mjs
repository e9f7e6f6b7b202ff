// npm packs only what lies in the package's folder, so what belongs to the whole repository is
// copied there while it packs.

import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../", import.meta.url));

/** Copies the contract's WIT files to a folder, which then holds nothing else. */
export function copyWit(target) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(join(REPOSITORY, "wit"))) {
    if (name.endsWith(".wit")) cpSync(join(REPOSITORY, "wit", name), join(target, name));
  }
}

if (process.argv[2] === "begin") {
  copyWit(join(PACKAGE, "wit"));
  cpSync(join(REPOSITORY, "LICENSE"), join(PACKAGE, "LICENSE"));
} else if (process.argv[2] === "end") {
  for (const copy of ["wit", "LICENSE"]) rmSync(join(PACKAGE, copy), { recursive: true, force: true });
}
