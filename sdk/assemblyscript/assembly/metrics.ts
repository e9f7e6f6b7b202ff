// @ts-ignore: decorator
@external("sentinel:gateway/metrics@0.1.0", "add")
declare function hostAdd(name: usize, length: usize, labels: usize, count: usize, value: u64): void;

// @ts-ignore: decorator
@external("sentinel:gateway/metrics@0.1.0", "observe")
declare function hostObserve(name: usize, length: usize, labels: usize, count: usize, value: f64): void;

// @ts-ignore: decorator
@external("sentinel:gateway/metrics@0.1.0", "describe")
declare function hostDescribe(
  name: usize, nameLength: usize, kind: i32, help: usize, helpLength: usize, unit: usize, unitLength: usize,
  bounds: usize, boundCount: usize,
): void;

/** What a metric is. */
export enum MetricKind {
  /** What `metrics.add` counts. */
  counter,
  /** What `metrics.observe` observes. */
  histogram,
}

// More are against the contract, and dropped whole.
const MOST_LABELS = 4;
const list = memory.data(MOST_LABELS * 16, 4);
// What the list points to, until the gateway has read it.
const held: ArrayBuffer[] = [];

/** Writes the labels as the canonical ABI lays out a list of pairs of strings; returns how many
 * there are. */
function lower(labels: string[][] | null): usize {
  if (labels === null) return 0;
  // One too many is still told, so that the gateway can count that it was dropped.
  if (labels.length > MOST_LABELS) return MOST_LABELS + 1;
  for (let i = 0; i < labels.length; ++i) {
    for (let j = 0; j < 2; ++j) {
      const text = String.UTF8.encode(labels[i][j]);
      held.push(text);
      const place = list + ((<usize>i) << 4) + ((<usize>j) << 3);
      store<usize>(place, placeOf(text));
      store<usize>(place, text.byteLength, 4);
    }
  }
  return labels.length;
}

/** Where text is, which may be empty. */
function placeOf(text: ArrayBuffer): usize {
  return text.byteLength ? changetype<usize>(text) : 1;
}

/**
 * Counting for the gateway's metrics, by name and at most 4 labels, each a pair:
 * `metrics.add("logins", [["result", "refused"]])`. Needs the grant `metrics`. The gateway shows
 * them as `guest_logins_total`, with the guest's name as a label. Names are lower-case letters,
 * digits and `_`; what breaks the rules of the contract, or would be more than 256 series, is
 * dropped and counted there.
 */
export namespace metrics {
  /** Adds to a counter. */
  export function add(name: string, labels: string[][] | null = null, value: u64 = 1): void {
    const encoded = String.UTF8.encode(name);
    hostAdd(changetype<usize>(encoded), encoded.byteLength, list, lower(labels), value);
    held.length = 0;
  }

  /** Observes a value in a histogram, whose buckets end at 1, 2.5 and 5 times each power of ten
   * from 0.001 to 100 unless it is described otherwise. */
  export function observe(name: string, labels: string[][] | null, value: f64): void {
    const encoded = String.UTF8.encode(name);
    hostObserve(changetype<usize>(encoded), encoded.byteLength, list, lower(labels), value);
    held.length = 0;
  }

  /**
   * Says what a metric is, for whoever reads `/metrics`: `metrics.describe("age_seconds",
   * MetricKind.histogram, "Age of tokens.", "seconds", [1, 60])`. It is there for `configure`;
   * saying the same again changes nothing. The help text has at most 256 bytes, the name ends in
   * the unit, and there are at most 16 bounds, ascending. What breaks these rules is refused with a
   * warning in the log.
   */
  export function describe(
    name: string, kind: MetricKind, help: string, unit: string = "", bounds: f64[] | null = null,
  ): void {
    const encoded = String.UTF8.encode(name);
    const helpText = String.UTF8.encode(help);
    const unitText = String.UTF8.encode(unit);
    hostDescribe(
      placeOf(encoded), encoded.byteLength, kind, placeOf(helpText), helpText.byteLength, placeOf(unitText),
      unitText.byteLength, bounds === null ? 0 : bounds.dataStart, bounds === null ? 0 : bounds.length,
    );
  }
}
