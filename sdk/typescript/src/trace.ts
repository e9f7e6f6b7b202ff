/** Backtraces in the lines of the author's files. The build appends to the bundle where its lines
 * come from. */

interface Origins {
  readonly files: readonly string[];
  /** For each line of the bundle, beginning with 1: a file's index and a line of it, or 0 for a
   * line of nobody. */
  readonly lines: readonly (0 | readonly [number, number])[];
}

declare global {
  var sentinelOrigins: Origins | undefined;
}

const PLACE = /[^\s()]*:(\d+):\d+/;

function frame(line: string): string {
  const origins = globalThis.sentinelOrigins;
  const place = PLACE.exec(line);
  const origin = origins && place ? origins.lines[Number(place[1])] : undefined;
  return origins && place && origin ? line.replace(place[0], `${origins.files[origin[0]]}:${origin[1]}`) : line;
}

/** An error as text, with where it was thrown. */
export function traced(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const stack = (error.stack ?? "").trimEnd();
  return stack === "" ? String(error) : `${String(error)}\n${stack.split("\n").map(frame).join("\n")}`;
}
