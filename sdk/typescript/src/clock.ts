import { monotonic, wall } from "sentinel:gateway/clock@0.1.0";

/** Needs the grant `clock`. Nanoseconds, of which a Number holds the time of day to 256. */
export const clock = {
  /** Since the Unix epoch. */
  wall: (): number => wall(),
  /** Since some time in the past; it never goes back. */
  monotonic: (): number => monotonic(),
};
