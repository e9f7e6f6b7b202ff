// Where the lines of a bundle come from, in few bytes: the first place that its source map has for
// each line.
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function numbers(segment) {
  const found = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    found.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return found;
}

/** `sentinelOrigins` of src/trace.ts. `isKept` tells by a source's name whether its lines are
 * told. */
export function origins(map, isKept) {
  const kept = map.sources.filter(isKept);
  let source = 0;
  let line = 0;
  const lines = map.mappings.split(";").map((text) => {
    let first = 0;
    for (const segment of text ? text.split(",") : []) {
      const [, sources, moved] = numbers(segment);
      if (sources === undefined) continue;
      source += sources;
      line += moved;
      if (first === 0 && isKept(map.sources[source])) first = [kept.indexOf(map.sources[source]), line + 1];
    }
    return first;
  });
  return { files: kept, lines: [0, ...lines] };
}
