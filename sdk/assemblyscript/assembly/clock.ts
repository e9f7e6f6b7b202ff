// @ts-ignore: decorator
@external("sentinel:gateway/clock@0.1.0", "wall")
declare function hostWall(): u64;

// @ts-ignore: decorator
@external("sentinel:gateway/clock@0.1.0", "monotonic")
declare function hostMonotonic(): u64;

/** What time it is, in nanoseconds. Needs the grant `clock`. */
export namespace clock {
  /** Since 1970-01-01 UTC. It may jump when the machine's clock is set. */
  export function wall(): u64 {
    return hostWall();
  }

  /**
   * Since some moment in the past, the same for all guests and workers of a machine. It never runs
   * backwards.
   */
  export function monotonic(): u64 {
    return hostMonotonic();
  }
}
