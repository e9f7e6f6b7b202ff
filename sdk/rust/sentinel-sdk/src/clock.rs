//! What time it is. Needs the grant `clock`.

use std::time::Duration;

/// The time since 1970-01-01 UTC. It may jump when the machine's clock is set.
pub fn wall() -> Duration {
    #[cfg(target_arch = "wasm32")]
    return Duration::from_nanos(crate::bindings::lifecycle::sentinel::gateway::clock::wall());
    #[cfg(not(target_arch = "wasm32"))]
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// The time since some moment in the past, the same for all guests and workers of a machine. It never runs backwards.
pub fn monotonic() -> Duration {
    #[cfg(target_arch = "wasm32")]
    return Duration::from_nanos(crate::bindings::lifecycle::sentinel::gateway::clock::monotonic());
    #[cfg(not(target_arch = "wasm32"))]
    {
        static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        FIRST.get_or_init(std::time::Instant::now).elapsed()
    }
}
