//! Keys and values that all workers of a machine share, and that only this guest sees. Needs the
//! grant `kv`.
//!
//! ```
//! use std::time::Duration;
//!
//! use sentinel_sdk::kv;
//!
//! let day = Some(Duration::from_secs(24 * 60 * 60));
//! assert_eq!(kv::add("requests of demo", 1, day), Ok(1));
//! kv::set("seen", "yes", day)?;
//! assert_eq!(kv::get("seen")?.as_deref(), Some(&b"yes"[..]));
//! # Ok::<(), kv::Error>(())
//! ```
//!
//! Keys have at most 1,024 bytes, values 65,536. A key that is secret, such as a token, is stored
//! as its hash. In native tests they have a stand-in; see `testing`.

use std::fmt;
use std::time::Duration;

/// Why a call came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The guest's quota is used up. Nothing that lives is ever given up for something new.
    Full,
    /// The key or the value is too long.
    TooLarge,
    /// What is there is not a number, or the sum would not be one.
    NotANumber,
    /// The store is held up.
    Unavailable,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Error::Full => "the quota is used up",
            Error::TooLarge => "the key or the value is too long",
            Error::NotANumber => "the value is not a number, or the sum would not be one",
            Error::Unavailable => "the store is held up",
        })
    }
}

impl std::error::Error for Error {}

/// The value at a key.
pub fn get(key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
    host::get(key.as_ref())
}

/// Put a value at a key, in place of what is there: for this long, to the millisecond, or for ever.
pub fn set(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<(), Error> {
    host::set(key.as_ref(), value.as_ref(), milliseconds(ttl))
}

/// Remove a key; tells whether there was one.
pub fn delete(key: impl AsRef<[u8]>) -> Result<bool, Error> {
    host::delete(key.as_ref())
}

/// Add to the number at a key, and tell the sum: in one step, whoever else does the same. An absent
/// one is 0 and lasts this long, or for ever; one that is there lasts as long as it would have.
pub fn add(key: impl AsRef<[u8]>, delta: i64, ttl: Option<Duration>) -> Result<i64, Error> {
    host::add(key.as_ref(), delta, milliseconds(ttl))
}

/// 0 stands for ever, so that the shortest time is a millisecond.
fn milliseconds(ttl: Option<Duration>) -> u64 {
    ttl.map_or(0, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1))
}

#[cfg(target_arch = "wasm32")]
mod host {
    use super::Error;
    use crate::bindings::lifecycle::sentinel::gateway::kv;

    impl From<kv::Error> for Error {
        fn from(error: kv::Error) -> Self {
            match error {
                kv::Error::Full => Error::Full,
                kv::Error::TooLarge => Error::TooLarge,
                kv::Error::NotANumber => Error::NotANumber,
                kv::Error::Unavailable => Error::Unavailable,
            }
        }
    }

    pub fn get(key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(kv::get(key)?)
    }

    pub fn set(key: &[u8], value: &[u8], ttl: u64) -> Result<(), Error> {
        Ok(kv::set(key, value, ttl)?)
    }

    pub fn delete(key: &[u8]) -> Result<bool, Error> {
        Ok(kv::delete(key)?)
    }

    pub fn add(key: &[u8], delta: i64, ttl: u64) -> Result<i64, Error> {
        Ok(kv::add(key, delta, ttl)?)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod host {
    pub use crate::testing::stand_ins::{kv_add as add, kv_delete as delete, kv_get as get, kv_set as set};
}
