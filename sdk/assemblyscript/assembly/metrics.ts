// @ts-ignore: decorator
@external("sentinel:gateway/metrics@0.1.0", "add")
declare function hostAdd(name: usize, length: usize, labels: usize, count: usize, value: u64): void;

// @ts-ignore: decorator
@external("sentinel:gateway/metrics@0.1.0", "observe")
declare function hostObserve(name: usize, length: usize, labels: usize, count: usize, value: f64): void;

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
      store<usize>(place, text.byteLength ? changetype<usize>(text) : 1);
      store<usize>(place, text.byteLength, 4);
    }
  }
  return labels.length;
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
   * from 0.001 to 100. */
  export function observe(name: string, labels: string[][] | null, value: f64): void {
    const encoded = String.UTF8.encode(name);
    hostObserve(changetype<usize>(encoded), encoded.byteLength, list, lower(labels), value);
    held.length = 0;
  }
}
