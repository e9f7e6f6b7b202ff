//! The printing macros of the standard library, for WebAssembly: there they would write to nowhere.
//!
//! `#[guest]` puts these into its block. `#[macro_use] extern crate sentinel_sdk;` puts them into
//! the whole crate.

use std::fmt;

use crate::log::{write, Level};

/// Write what was printed as one line, without the line break that it may end with.
pub fn write_printed(level: Level, text: fmt::Arguments) {
    let text = text.to_string();
    write(level, text.strip_suffix('\n').unwrap_or(&text));
}

/// As in the standard library, to the gateway's log: a line at level `info`.
#[macro_export]
macro_rules! println {
    () => { $crate::log::write($crate::log::Level::Info, "") };
    ($($format:tt)+) => { $crate::__private::write_printed($crate::log::Level::Info, ::core::format_args!($($format)+)) };
}

/// As in the standard library, to the gateway's log: a line of its own for each call, at level
/// `info`.
#[macro_export]
macro_rules! print {
    ($($format:tt)+) => { $crate::__private::write_printed($crate::log::Level::Info, ::core::format_args!($($format)+)) };
}

/// As in the standard library, to the gateway's log: a line at level `warn`.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::log::write($crate::log::Level::Warn, "") };
    ($($format:tt)+) => { $crate::__private::write_printed($crate::log::Level::Warn, ::core::format_args!($($format)+)) };
}

/// As in the standard library, to the gateway's log: a line of its own for each call, at level
/// `warn`.
#[macro_export]
macro_rules! eprint {
    ($($format:tt)+) => { $crate::__private::write_printed($crate::log::Level::Warn, ::core::format_args!($($format)+)) };
}

/// As in the standard library, to the gateway's log: a line for each value, at level `debug`.
#[macro_export]
macro_rules! dbg {
    () => { $crate::debug!("[{}:{}:{}]", ::core::file!(), ::core::line!(), ::core::column!()) };
    ($value:expr $(,)?) => {
        match $value {
            value => {
                let (file, line, column) = (::core::file!(), ::core::line!(), ::core::column!());
                $crate::debug!("[{file}:{line}:{column}] {} = {:#?}", ::core::stringify!($value), &value);
                value
            }
        }
    };
    ($($value:expr),+ $(,)?) => { ($($crate::dbg!($value)),+,) };
}
