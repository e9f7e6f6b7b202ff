#![doc = include_str!("../README.md")]

#[allow(missing_docs, unsafe_code)]
mod bindings;
mod chunk;
pub mod clock;
mod config_schema;
mod context;
mod de;
mod edits;
mod guest;
mod headers;
pub mod http;
pub mod json;
pub mod kv;
mod lent;
pub mod log;
pub mod metrics;
mod print;
pub mod random;
mod request;
mod response;
mod runtime;
mod scratch;
mod secrets;
mod self_test;
mod summary;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod text;
mod wire;

pub use chunk::{Chunk, RequestChunk, ResponseChunk};
pub use config_schema::{ConfigSchema, Part as SchemaPart};
pub use edits::{BodyMode, HeaderEdit, HeaderEdits, RequestEdits, ResponseEdits};
pub use guest::{Guest, NeededHooks};
pub use headers::{media_type, HeaderName, HeaderValue, Headers};
pub use request::{ClientCertificate, Request, RequestHead};
pub use response::{IncomingResponse, Origin, Response, ResponseHead};
pub use secrets::equals_secret;
pub use sentinel_sdk_macros::{guest, ConfigSchema};
pub use serde;
pub use summary::{Outcome, Summary};

/// What a guest usually needs: `use sentinel_sdk::prelude::*;`. It includes serde's derive macros,
/// for which the guest's own `Cargo.toml` lists `serde`.
pub mod prelude {
    pub use crate::{
        config_schema, debug, error, guest, info, self_test, trace, warn, ConfigSchema, Guest, HeaderEdits, HeaderName,
        HeaderValue, IncomingResponse, NeededHooks, Request, RequestChunk, Response, ResponseChunk, Summary,
    };
    pub use serde::{Deserialize, Serialize};
}

/// For the code that `#[guest]` makes.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::{completion, lifecycle, request, request_body, response, response_body};
    pub use crate::config_schema::{length, whole, write};
    pub use crate::lent::{argument_area, begin, lend, Argument, Returned};
    pub use crate::print::write_printed;
    pub use crate::runtime::{
        configure, needed_hooks, on_complete, on_request, on_request_chunk, on_response, on_response_chunk, process,
        Hosted,
    };
    pub use serde::de::IgnoredAny;
}
