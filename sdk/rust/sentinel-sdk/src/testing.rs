//! Heads as the gateway sends them, for native tests of guests.
//!
//! ```
//! use sentinel_sdk::{prelude::*, testing};
//!
//! fn process(request: Request) -> Result<Request, Response> {
//!     if request.header("x-api-key").is_none() {
//!         return Err(Response::new(401));
//!     }
//!     Ok(request)
//! }
//!
//! let head = testing::request_head("GET", "/orders?page=2", &[]);
//! assert_eq!(process(Request::decode(&head)).unwrap_err(), Response::new(401));
//!
//! let head = testing::request_head("GET", "/orders", &[("x-api-key", "demo")]);
//! assert!(process(Request::decode(&head)).unwrap().edits().is_empty());
//! ```

use std::cell::RefCell;

use crate::edits::put_header;
use crate::http;
use crate::wire::{put_array, put_option_str, put_str, put_unsigned};

/// The payload of `on-request`, for [`Request::decode`](crate::Request::decode): a plain HTTP/1.1 request from 127.0.0.1 to
/// `localhost`, whose id and route are `test`.
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

/// The payload of `on-response`, for [`IncomingResponse::decode`](crate::IncomingResponse::decode): a response of the
/// upstream.
pub fn response_head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_array(&mut out, 3);
    put_unsigned(&mut out, status.into());
    put_headers(&mut out, headers);
    put_unsigned(&mut out, 0);
    out
}

fn put_headers(out: &mut Vec<u8>, headers: &[(&str, &str)]) {
    put_array(out, headers.len() as u32);
    for (name, value) in headers {
        put_header(out, name, value.as_bytes());
    }
}

type Service = Box<dyn Fn(&http::Request) -> Result<http::Response, http::Error>>;

thread_local! {
    static SERVICE: RefCell<Option<Service>> = const { RefCell::new(None) };
}

/// Let this answer what guests send on this thread; without it every target is unreachable.
pub fn http_service(service: impl Fn(&http::Request) -> Result<http::Response, http::Error> + 'static) {
    SERVICE.set(Some(Box::new(service)));
}

#[cfg_attr(target_arch = "wasm32", allow(dead_code))]
pub(crate) fn answer(request: &http::Request) -> Result<http::Response, http::Error> {
    SERVICE.with_borrow(|service| service.as_ref().map_or(Err(http::Error::Unreachable), |answer| answer(request)))
}
