//! Counting for the gateway's metrics, by name and at most 4 labels. Needs the grant `metrics`.
//!
//! ```
//! use sentinel_sdk::metrics;
//!
//! metrics::add("logins", &[("result", "refused")], 1);
//! metrics::observe("token_age_seconds", &[], 12.5);
//! ```
//!
//! The gateway shows them as `guest_logins_total` and `guest_token_age_seconds`, with the guest's
//! name as a label. Names are lower-case letters, digits and `_`. What breaks the rules of the
//! contract, or would be more than 256 series, is dropped and counted there. In native tests they
//! have a stand-in; see `testing`.

/// Add to a counter.
pub fn add(name: &str, labels: &[(&str, &str)], value: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::lifecycle::sentinel::gateway::metrics::add(name, labels, value);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::metrics_add(name, labels, value);
}

/// Observe a value in a histogram, whose buckets end at 1, 2.5 and 5 times each power of ten from
/// 0.001 to 100.
pub fn observe(name: &str, labels: &[(&str, &str)], value: f64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::lifecycle::sentinel::gateway::metrics::observe(name, labels, value);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::metrics_observe(name, labels, value);
}
