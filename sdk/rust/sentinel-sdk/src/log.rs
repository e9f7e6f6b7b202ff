//! The gateway's log. Lines beyond 8 KiB are cut there; in native tests they go to the standard
//! error stream, and `testing` keeps them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// How much a line matters. In a configuration it is the name in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The finest detail.
    Trace,
    /// For whoever works on the guest.
    Debug,
    /// Normal operation.
    Info,
    /// Something is off, and the guest goes on.
    Warn,
    /// Something failed.
    Error,
}

/// Write one line. It never blocks, and may be called from any hook.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::lifecycle::sentinel::gateway::log;
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::write(level, message);
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        std::eprintln!("{level:?}: {message}");
        crate::testing::stand_ins::with(|host| host.logs.push((level, message.into())));
    }
}

/// Write one formatted line; what the macros call.
pub fn write_formatted(level: Level, message: fmt::Arguments) {
    let message = message.as_str().map_or_else(|| Cow::Owned(message.to_string()), Cow::Borrowed);
    write(level, &message);
}

/// Write a line of the finest detail to the gateway's log, with the arguments of `format!`.
#[macro_export]
macro_rules! trace {
    ($($format:tt)+) => { $crate::log::write_formatted($crate::log::Level::Trace, ::core::format_args!($($format)+)) };
}

/// Write a line for whoever works on the guest to the gateway's log, with the arguments of
/// `format!`.
#[macro_export]
macro_rules! debug {
    ($($format:tt)+) => { $crate::log::write_formatted($crate::log::Level::Debug, ::core::format_args!($($format)+)) };
}

/// Write a line about normal operation to the gateway's log, with the arguments of `format!`.
#[macro_export]
macro_rules! info {
    ($($format:tt)+) => { $crate::log::write_formatted($crate::log::Level::Info, ::core::format_args!($($format)+)) };
}

/// Write a line about something that is off to the gateway's log, with the arguments of `format!`.
#[macro_export]
macro_rules! warn {
    ($($format:tt)+) => { $crate::log::write_formatted($crate::log::Level::Warn, ::core::format_args!($($format)+)) };
}

/// Write a line about something that failed to the gateway's log, with the arguments of `format!`.
#[macro_export]
macro_rules! error {
    ($($format:tt)+) => { $crate::log::write_formatted($crate::log::Level::Error, ::core::format_args!($($format)+)) };
}
