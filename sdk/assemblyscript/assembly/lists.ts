// Lists of bytes between the guest and the functions that it imports (wit/ABI.md, section 2): what
// a function returns lies in a block that it asked `cabi_realloc` for, and is the guest's from then
// on.

import { free } from "./memory";

/** Moves the list whose pointer and length stand at `area` into an array, and frees its block. */
export function takeList(area: usize): Uint8Array {
  const start = load<usize>(area);
  const length = load<i32>(area, 4);
  const bytes = new Uint8Array(length);
  memory.copy(bytes.dataStart, start, length);
  // An empty list owns nothing.
  if (length) free(start);
  return bytes;
}
