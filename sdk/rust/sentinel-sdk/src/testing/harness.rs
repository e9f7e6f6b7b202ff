use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::stand_ins::{self, Call, Described};
use super::{request_head, response_head};
use crate::chunk::{RequestChunk, ResponseChunk};
use crate::edits::{RequestEdits, ResponseEdits};
use crate::guest::Guest;
use crate::log::Level;
use crate::request::Request;
use crate::response::{IncomingResponse, Response};
use crate::summary::Summary;
use crate::{http, kv};

/// A guest under test, and the host's functions in its thread. A new harness begins with no keys,
/// no calls and no log.
///
/// The context that `on_request` leaves goes to the later hooks, until the next request.
pub struct Harness<G> {
    guest: G,
    context: Vec<u8>,
}

/// For any guest, so that a test can unwrap what `configure` returns.
impl<G> fmt::Debug for Harness<G> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.debug_struct("Harness").field("context", &self.context).finish_non_exhaustive()
    }
}

/// What `on_request` made of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestAction {
    /// The response for the client; `None` when the request goes on.
    pub response: Option<Response>,
    /// The changes to the request.
    pub edits: RequestEdits,
    /// The header fields, names in lower case, with these changes.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What `on_response` made of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseAction {
    /// The response that is sent instead; `None` when this one goes on.
    pub response: Option<Response>,
    /// The changes to the response.
    pub edits: ResponseEdits,
    /// The header fields, names in lower case, with these changes.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What a chunk hook made of a chunk; `E` is the kind of changes to the head.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyAction<E> {
    /// The response that is sent instead; `None` when the body goes on.
    pub response: Option<Response>,
    /// What goes on in place of the chunk; `None` for the chunk as it is.
    pub replacement: Option<Vec<u8>>,
    /// The changes to the head that is still held.
    pub head: E,
}

impl RequestAction {
    /// The value of the first header field of that name, whatever its case, with the changes.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }
}

impl ResponseAction {
    /// The value of the first header field of that name, whatever its case, with the changes.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }
}

fn first<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
}

fn owned<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, Vec<u8>)> {
    headers.map(|(name, value)| (name.into(), value.into())).collect()
}

impl<G: Guest> Harness<G> {
    /// Test this guest.
    pub fn new(guest: G) -> Self {
        stand_ins::reset();
        Self { guest, context: Vec::new() }
    }

    /// Test the guest that `configure` makes.
    ///
    /// # Errors
    /// Its message.
    pub fn configure(config: G::Config) -> Result<Self, String> {
        stand_ins::reset();
        Ok(Self { guest: G::configure(config)?, context: Vec::new() })
    }

    /// The guest.
    pub fn guest(&self) -> &G {
        &self.guest
    }

    /// Call `on_request` with a plain HTTP/1.1 request from 127.0.0.1 to `localhost`; the target
    /// may have a query.
    pub fn on_request(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> RequestAction {
        let head = request_head(method, target, headers);
        let mut request = Request::decode(&head);
        let response = self.guest.on_request(&mut request).err();
        self.context.clone_from(&request.edits().context);
        RequestAction { response, edits: request.edits().clone(), headers: owned(request.headers()) }
    }

    /// Call `on_response` with a response of the upstream.
    pub fn on_response(&mut self, status: u16, headers: &[(&str, &str)]) -> ResponseAction {
        let head = response_head(status, headers);
        let mut response = IncomingResponse::decode(&head, &self.context);
        let replacement = self.guest.on_response(&mut response).err();
        ResponseAction { response: replacement, edits: response.edits().clone(), headers: owned(response.headers()) }
    }

    /// Call `on_complete`; [`summary`](super::summary) makes one.
    pub fn on_complete(&mut self, summary: Summary) {
        self.guest.on_complete(&Summary { context: &self.context, ..summary });
    }

    /// Call `on_request_chunk`; `last` is true for the body's end.
    pub fn on_request_chunk(&mut self, bytes: &[u8], last: bool) -> BodyAction<RequestEdits> {
        let mut chunk = RequestChunk::new(bytes, last, &self.context);
        let response = self.guest.on_request_chunk(&mut chunk).err();
        let (replacement, head) = chunk.into_parts();
        BodyAction { response, replacement, head }
    }

    /// Call `on_response_chunk`; `last` is true for the body's end.
    pub fn on_response_chunk(&mut self, bytes: &[u8], last: bool) -> BodyAction<ResponseEdits> {
        let mut chunk = ResponseChunk::new(bytes, last, &self.context);
        let response = self.guest.on_response_chunk(&mut chunk).err();
        let (replacement, head) = chunk.into_parts();
        BodyAction { response, replacement, head }
    }

    /// The bytes that the last `on_request` left for the later hooks.
    pub fn context_bytes(&self) -> &[u8] {
        &self.context
    }

    /// The lines written since the last time this was asked.
    pub fn logs(&mut self) -> Vec<(Level, String)> {
        stand_ins::with(|host| std::mem::take(&mut host.logs))
    }

    /// What the guest has said of its metrics.
    pub fn descriptions(&self) -> Vec<Described> {
        stand_ins::with(|host| host.descriptions.clone())
    }

    /// The calls of the host's functions, but for the log and descriptions of metrics, since the
    /// last time this was asked.
    pub fn calls(&mut self) -> Vec<Call> {
        stand_ins::with(|host| std::mem::take(&mut host.calls))
    }

    /// Let this answer what the guest asks HTTP services; without it every target is unreachable.
    pub fn http_service(&mut self, service: impl Fn(&http::Request) -> Result<http::Response, http::Error> + 'static) {
        stand_ins::with(|host| host.service = Some(Rc::new(service)));
    }

    /// Let every call of `kv` fail from now on, or with `None` none.
    pub fn fail_kv(&mut self, error: Option<kv::Error>) {
        stand_ins::with(|host| host.kv_error = error);
    }

    /// Let time go by. The clock stands still otherwise; it begins at 2026-01-01 UTC. Keys expire
    /// by it.
    pub fn advance_clock(&mut self, by: Duration) {
        stand_ins::with(|host| host.elapsed += by);
    }

    /// Begin another sequence of random numbers. Without it every harness has the same.
    pub fn seed_random(&mut self, seed: u64) {
        stand_ins::with(|host| host.random = seed);
    }
}
