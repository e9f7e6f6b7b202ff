//! What time it is. Needs the grant `clock`. In native tests it has a stand-in; see `testing`.

use std::time::Duration;

/// The time since 1970-01-01 UTC. It may jump when the machine's clock is set.
pub fn wall() -> Duration {
    #[cfg(target_arch = "wasm32")]
    return Duration::from_nanos(crate::bindings::lifecycle::sentinel::gateway::clock::wall());
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::clock_wall()
}

/// The time since some moment in the past, the same for all guests and workers of a machine. It
/// never runs backwards.
pub fn monotonic() -> Duration {
    #[cfg(target_arch = "wasm32")]
    return Duration::from_nanos(crate::bindings::lifecycle::sentinel::gateway::clock::monotonic());
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::clock_monotonic()
}
