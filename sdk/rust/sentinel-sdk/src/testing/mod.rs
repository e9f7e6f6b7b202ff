//! Native tests of guests: [`Harness`] calls hooks as the gateway does and shows what came of it,
//! without a gateway.
//!
//! ```
//! use sentinel_sdk::{prelude::*, testing::Harness};
//!
//! #[derive(Default)]
//! struct NeedsKey;
//!
//! impl Guest for NeedsKey {
//! #   type Config = sentinel_sdk::serde::de::IgnoredAny;
//! #   fn configure(_: Self::Config) -> Result<Self, String> { Ok(Self) }
//!     fn on_request(&self, request: &mut Request) -> Result<(), Response> {
//!         if request.header("x-api-key").is_none() {
//!             return Err(Response::new(401));
//!         }
//!         request.set_header("x-checked", "yes");
//!         Ok(())
//!     }
//! }
//!
//! let mut harness = Harness::new(NeedsKey);
//! let action = harness.on_request("GET", "/orders?page=2", &[]);
//! assert_eq!(action.response.unwrap().status(), 401);
//!
//! let action = harness.on_request("GET", "/orders", &[("x-api-key", "demo")]);
//! assert!(action.response.is_none());
//! assert_eq!(action.header("x-checked"), Some(&b"yes"[..]));
//! ```
//!
//! The host's functions have stand-ins that record what they were asked: see [`Harness::calls`].
//! They belong to the thread, and each test has one of its own. A guest that is one function is
//! called with `Request::decode(&request_head(..))`.

mod harness;
pub(crate) mod stand_ins;

pub use harness::{BodyAction, Harness, RequestAction, ResponseAction};
pub use stand_ins::{Call, Described};

use crate::config_schema::{whole, ConfigSchema, Part as SchemaPart};
use crate::edits::put_header;
use crate::response::Origin;
use crate::summary::{Outcome, Summary};
use crate::wire::{put_array, put_option_str, put_str, put_unsigned};

/// The payload of `on-request`, for [`Request::decode`](crate::Request::decode): a plain HTTP/1.1
/// request from 127.0.0.1 to `localhost`, whose id and route are `test`.
pub fn request_head(method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut out = Vec::new();
    put_array(&mut out, 10);
    put_str(&mut out, method);
    put_str(&mut out, path);
    put_option_str(&mut out, query);
    put_headers(&mut out, headers);
    for text in ["http", "localhost", "127.0.0.1", "test", "test", "1.1"] {
        put_str(&mut out, text);
    }
    out
}

/// The payload of `on-response`, for [`IncomingResponse::decode`](crate::IncomingResponse::decode):
/// a response of the upstream.
pub fn response_head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_array(&mut out, 3);
    put_unsigned(&mut out, status.into());
    put_headers(&mut out, headers);
    put_unsigned(&mut out, 0);
    out
}

/// How a plain `GET /` ended that the upstream `test` answered with 200 and no body. Change the
/// fields that matter.
pub fn summary() -> Summary<'static> {
    Summary {
        request_id: "test",
        method: "GET",
        path: "/",
        query: None,
        route: "test",
        authority: "localhost",
        client: "127.0.0.1",
        http_version: "1.1",
        started_at: stand_ins::START.as_micros() as u64,
        duration: 1000,
        status: 200,
        request_bytes: 0,
        response_bytes: 0,
        outcome: Outcome::Completed,
        origin: Origin::Upstream,
        upstream: Some("test"),
        upstream_duration: Some(900),
        endpoint: Some("http://10.0.0.1:9000"),
        tries: 1,
        context: &[],
    }
}

/// The schema that `config_schema!` puts into a guest.
pub fn config_schema<T: ConfigSchema>() -> String {
    fn text(parts: &[SchemaPart]) -> String {
        let texts = parts.iter().map(|part| match part {
            SchemaPart::Text(text) => (*text).to_owned(),
            SchemaPart::Nested(nested) => text(nested),
        });
        texts.collect()
    }
    text(whole::<T>())
}

fn put_headers(out: &mut Vec<u8>, headers: &[(&str, &str)]) {
    put_array(out, headers.len() as u32);
    for (name, value) in headers {
        put_header(out, name, value.as_bytes());
    }
}
