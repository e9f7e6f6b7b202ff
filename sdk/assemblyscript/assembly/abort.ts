import { Level, writeBytes } from "./log";

// Static, because a guest that ran out of memory must still be able to say so. A message is cut
// where the place still has room.
const LIMIT: usize = 2048;
const MESSAGE_LIMIT: usize = 1536;
const line = memory.data(2048);
let length: usize = 0;

/**
 * Replaces AssemblyScript's own `abort`: a failed assertion, a thrown error or an index out of
 * bounds is written to the gateway's log as `message (file:line:column)`, and the guest traps.
 */
export function abort(message: string | null, file: string | null, lineNumber: u32, column: u32): void {
  length = 0;
  text(message !== null ? message : "aborted", MESSAGE_LIMIT);
  text(" (");
  text(file !== null ? file : "?");
  text(":");
  decimal(lineNumber);
  text(":");
  decimal(column);
  text(")");
  writeBytes(Level.error, line, length);
  unreachable();
}

function text(value: string, limit: usize = LIMIT): void {
  // Three bytes are the most that UTF-8 needs for one UTF-16 unit.
  const units = min<usize>(value.length, (limit - length) / 3);
  const start = changetype<usize>(value);
  length += String.UTF8.encodeUnsafe(start, <i32>units, line + length, false, String.UTF8.ErrorMode.REPLACE);
}

function decimal(value: u32): void {
  let divisor: u32 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (; divisor > 0 && length < LIMIT; divisor /= 10) store<u8>(line + length++, <u8>(0x30 + (value / divisor) % 10));
}
