// Imported before the compiler, which is WebAssembly itself: optimizing its code takes longer than
// running it unoptimized.

import { setFlagsFromString } from "node:v8";

setFlagsFromString("--liftoff-only");
