// npm packs only what lies in the package's folder, so the contract is copied there while it packs.

import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const copy = fileURLToPath(new URL("../wit", import.meta.url));
rmSync(copy, { recursive: true, force: true });
if (!process.argv.includes("--remove")) {
  cpSync(fileURLToPath(new URL("../../../wit", import.meta.url)), copy, {
    recursive: true,
    filter: (source) => !source.includes(".") || source.endsWith(".wit"),
  });
}
