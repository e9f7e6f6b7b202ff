//! Changes to header fields, queries and JSON bodies: what request-transform and response-transform
//! have in common.
//!
//! The verbs and their order are those of Kong's transformers: remove, rename, replace, add,
//! append; `set` is replace and add in one.

mod body;
mod headers;
mod json;
mod literal;
mod query;
mod table;

pub use body::{BodyConfig, BodyRules};
pub use headers::HeaderRules;
pub use query::QueryRules;
use sentinel_sdk::{media_type, Headers};

/// Fields that hold a digest of the content, which a changed one does not have (RFC 9530).
pub const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// Whether the content is said to be JSON.
pub fn is_json(headers: Headers) -> bool {
    headers.get_all("content-type").map(media_type).any(|kind| kind == "application/json" || kind.ends_with("+json"))
}

#[cfg(test)]
mod tests;
