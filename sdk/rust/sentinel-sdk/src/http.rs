//! Asking an HTTP service in the middle of a hook. Needs the grant `http-client`, and a
//! configuration that allows the target.
//!
//! ```no_run
//! use sentinel_sdk::http;
//!
//! let answer = http::get("https://auth.example/status").header("accept", "text/plain").send()?;
//! let works = answer.status() == 200 && answer.body() == b"ok";
//! # Ok::<(), http::Error>(())
//! ```
//!
//! The guest is suspended meanwhile: the gateway serves others, and the time does not count against
//! the guest's deadline. Redirects are answers like any other. In native tests `testing` has a
//! stand-in.

use std::fmt;
use std::time::Duration;

use crate::edits::put_header;
use crate::headers::Headers;
use crate::wire::{put_array, put_bin, put_str, put_unsigned, Malformed, Reader};

/// Why a call came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The configuration does not allow the target, or its address; or the guest is only being
    /// started.
    Denied,
    /// The request is not what the contract says.
    Invalid,
    /// More calls in one hook than the configuration allows.
    TooMany,
    /// There was no whole answer in time.
    Timeout,
    /// There was no connection, or it broke off, or what came was not HTTP.
    Unreachable,
    /// The request or the answer is larger than the configuration allows.
    TooLarge,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Error::Denied => "the target is not allowed",
            Error::Invalid => "the request is not valid",
            Error::TooMany => "too many calls in one hook",
            Error::Timeout => "there was no answer in time",
            Error::Unreachable => "the target could not be reached",
            Error::TooLarge => "the request or the answer is too large",
        })
    }
}

impl std::error::Error for Error {}

/// A request in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing happens until it is sent"]
pub struct Request {
    method: String,
    url: String,
    count: u32,
    headers: Vec<u8>,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

/// A request with the method GET.
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A request with the method POST.
pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", url).body(body)
}

impl Request {
    /// A request without header fields and body. The URL is `http://` or `https://`, host, optional
    /// port, path and query.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let (method, url) = (method.into(), url.into());
        Self { method, url, count: 0, headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// Add a header field. The gateway refuses the names that [`HeaderEdits`](crate::HeaderEdits)
    /// lists.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.count += 1;
        put_header(&mut self.headers, name, value.as_ref());
        self
    }

    /// The whole body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// How long all of it may take; never longer than the configuration says.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every header field: its name in lower case, and its value, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        Headers::of(self.count, &self.headers).iter()
    }

    /// The value of the first header field of that name, whatever its case.
    pub fn get_header(&self, name: &str) -> Option<&[u8]> {
        Headers::of(self.count, &self.headers).get(name)
    }

    /// The body.
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Send it, and wait for the whole answer.
    pub fn send(&self) -> Result<Response, Error> {
        host::send(self)
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.url.len() + self.headers.len() + self.body.len() + 32);
        put_array(&mut out, 5);
        put_str(&mut out, &self.method);
        put_str(&mut out, &self.url);
        put_array(&mut out, self.count);
        out.extend_from_slice(&self.headers);
        put_bin(&mut out, &self.body);
        match self.timeout {
            Some(timeout) => put_unsigned(&mut out, timeout.as_millis().min(u32::MAX.into()) as u64),
            None => out.push(0xc0),
        }
        out
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    /// An answer for native tests.
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_bytes().into())).collect();
        Self { status, headers, body: body.into() }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the first header field of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
    }

    /// Every header field: its name in lower case, and its value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub(crate) fn decode(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        reader.array()?;
        let status = reader.unsigned()? as u16;
        let fields = Headers::read(&mut reader)?;
        let mut reader = fields.end()?;
        let headers = fields.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Ok(Self { status, headers, body: reader.bin()?.into() })
    }
}

#[cfg(target_arch = "wasm32")]
mod host {
    use super::{Error, Request, Response};
    use crate::bindings::lifecycle::sentinel::gateway::http_client;

    impl From<http_client::Error> for Error {
        fn from(error: http_client::Error) -> Self {
            match error {
                http_client::Error::Denied => Error::Denied,
                http_client::Error::Invalid => Error::Invalid,
                http_client::Error::TooMany => Error::TooMany,
                http_client::Error::Timeout => Error::Timeout,
                http_client::Error::Unreachable => Error::Unreachable,
                http_client::Error::TooLarge => Error::TooLarge,
            }
        }
    }

    pub fn send(request: &Request) -> Result<Response, Error> {
        let answer = http_client::send(&request.encode())?;
        Ok(Response::decode(&answer).expect("the gateway keeps to the contract"))
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod host {
    pub use crate::testing::stand_ins::http_send as send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_record_of_the_contract() {
        let request = get("http://a/b").header("X-A", "1").timeout(Duration::from_millis(300));
        let bytes = request.encode();
        assert_eq!(bytes, b"\x95\xa3GET\xaahttp://a/b\x91\x92\xa3x-a\xc4\x011\xc4\x00\xcd\x01\x2c");
        assert_eq!(post("u", "b").encode(), b"\x95\xa4POST\xa1u\x90\xc4\x01b\xc0");
    }

    #[test]
    fn an_answer_is_read() {
        let answer = Response::decode(b"\x93\xcd\x01\x91\x91\x92\xa1a\xc4\x01b\xc4\x02no").unwrap();
        assert_eq!(answer, Response::new(401, &[("A", "b")], "no"));
        assert_eq!((answer.status(), answer.header("A"), answer.body()), (401, Some(&b"b"[..]), &b"no"[..]));
        assert!(Response::decode(b"\x93\xcd\x01").is_err());
    }
}
