import { add, observe } from "sentinel:gateway/metrics@0.1.0";

export type Labels = Record<string, string>;

/** Needs the grant `metrics`. */
export const metrics = {
  /** Adds to the counter that the gateway shows as `guest_NAME_total`. */
  add: (name: string, value = 1, labels: Labels = {}): void => add(name, Object.entries(labels), value),
  /** Observes a value in the histogram that the gateway shows as `guest_NAME`. */
  observe: (name: string, value: number, labels: Labels = {}): void => observe(name, Object.entries(labels), value),
};
