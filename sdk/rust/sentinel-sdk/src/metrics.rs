//! Counting for the gateway's metrics, by name and at most 4 labels. Needs the grant `metrics`.
//!
//! ```
//! use sentinel_sdk::metrics;
//!
//! metrics::add("logins", &[("result", "refused")], 1);
//! metrics::observe("token_age_seconds", &[], 12.5);
//! ```
//!
//! `configure` may describe them for whoever reads `/metrics`:
//!
//! ```
//! use sentinel_sdk::metrics::{self, Description};
//!
//! metrics::describe("logins", Description::counter("Logins, by what came of them."));
//! let age = Description::histogram("Age of tokens when they are shown.");
//! metrics::describe("token_age_seconds", age.unit("seconds").bounds(&[1.0, 60.0, 3600.0]));
//! ```
//!
//! The gateway shows them as `guest_logins_total` and `guest_token_age_seconds`, with the guest's
//! name as a label. Names are lower-case letters, digits and `_`. What breaks the rules of the
//! contract, or would be more than 256 series, is dropped and counted there. A description that
//! breaks them is refused with a warning in the log. In native tests they have a stand-in; see
//! `testing`.

/// Add to a counter.
pub fn add(name: &str, labels: &[(&str, &str)], value: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::lifecycle::sentinel::gateway::metrics::add(name, labels, value);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::metrics_add(name, labels, value);
}

/// Observe a value in a histogram, whose buckets end at 1, 2.5 and 5 times each power of ten from
/// 0.001 to 100 unless it is described otherwise.
pub fn observe(name: &str, labels: &[(&str, &str)], value: f64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::lifecycle::sentinel::gateway::metrics::observe(name, labels, value);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::metrics_observe(name, labels, value);
}

/// What a metric is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// What `add` counts.
    Counter,
    /// What `observe` observes.
    Histogram,
}

/// What the gateway tells of a metric beside its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Description<'a> {
    pub(crate) kind: Kind,
    pub(crate) help: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) bounds: &'a [f64],
}

impl<'a> Description<'a> {
    /// Of a counter, with a help text of at most 256 bytes.
    pub const fn counter(help: &'a str) -> Self {
        Self { kind: Kind::Counter, help, unit: "", bounds: &[] }
    }

    /// Of a histogram, with a help text of at most 256 bytes.
    pub const fn histogram(help: &'a str) -> Self {
        Self { kind: Kind::Histogram, help, unit: "", bounds: &[] }
    }

    /// With a unit such as `seconds`, in which the metric's name ends.
    pub const fn unit(self, unit: &'a str) -> Self {
        Self { unit, ..self }
    }

    /// With the upper ends of a histogram's buckets: at most 16, ascending.
    pub const fn bounds(self, bounds: &'a [f64]) -> Self {
        Self { bounds, ..self }
    }
}

/// Say what a metric is. It is there for `configure`; saying the same again changes nothing.
pub fn describe(name: &str, description: Description) {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::lifecycle::sentinel::gateway::metrics as host;

        let kind = match description.kind {
            Kind::Counter => host::Kind::Counter,
            Kind::Histogram => host::Kind::Histogram,
        };
        host::describe(name, kind, description.help, description.unit, description.bounds);
    }
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::metrics_describe(name, description);
}
