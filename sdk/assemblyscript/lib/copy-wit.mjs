// npm packs only what lies in the package's folder, so the contract is copied there while it packs.

import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CONTRACT = fileURLToPath(new URL("../../../wit", import.meta.url));
const COPY = fileURLToPath(new URL("../wit", import.meta.url));

/** Copies the contract's WIT files to a folder, which then holds nothing else. */
export function copyWit(target = COPY) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(CONTRACT)) {
    if (name.endsWith(".wit")) cpSync(join(CONTRACT, name), join(target, name));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === "--remove") rmSync(COPY, { recursive: true, force: true });
  else copyWit();
}
