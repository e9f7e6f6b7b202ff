import { add, describe, observe } from "sentinel:gateway/metrics@0.1.0";

export type Labels = Record<string, string>;

/** What a metric is: what `metrics.add` counts, or what `metrics.observe` observes. */
export type MetricKind = "counter" | "histogram";

/** What the gateway tells of a metric beside its numbers. */
export interface MetricDescription {
  /** At most 256 bytes. */
  help?: string;
  /** Such as `seconds`; the metric's name ends in it. */
  unit?: string;
  /** The upper ends of a histogram's buckets: at most 16, ascending. */
  bounds?: readonly number[];
}

/** Needs the grant `metrics`. */
export const metrics = {
  /** Adds to the counter that the gateway shows as `guest_NAME_total`. */
  add: (name: string, value = 1, labels: Labels = {}): void => add(name, Object.entries(labels), value),
  /** Observes a value in the histogram that the gateway shows as `guest_NAME`. */
  observe: (name: string, value: number, labels: Labels = {}): void => observe(name, Object.entries(labels), value),
  /**
   * Says what a metric is. It is there for `configure`; saying the same again changes nothing. What
   * breaks the rules is refused with a warning in the log.
   */
  describe: (name: string, kind: MetricKind, { help = "", unit = "", bounds = [] }: MetricDescription = {}): void =>
    describe(name, kind, help, unit, [...bounds]),
};
