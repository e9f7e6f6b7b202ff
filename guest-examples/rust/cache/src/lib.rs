//! A shared cache by RFC 9111 in `kv`: what one client got, others get without asking the upstream.

mod dates;
mod directives;
mod entry;
mod exchange;
mod store;
mod wire;

use std::cell::{Cell, RefCell};

use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, kv};

use crate::directives::Directives;
use crate::entry::Entry;
use crate::exchange::{Exchange, Purpose};
use crate::store::{Found, Lookup};

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Bytes of the largest body that is stored.
    #[schema(default = 262144, maximum = 900000)]
    max_body: usize,
    /// Seconds for which responses are fresh that say nothing about it; 0 stores none of them.
    #[schema(default = 0)]
    default_ttl: u32,
    /// Seconds for which stale responses are kept to be validated.
    #[schema(default = 3600)]
    keep_stale: u32,
    /// Whether requests with `authorization` are served from the cache, and stored, where the
    /// response is `public`, or has `s-maxage` or `must-revalidate`.
    #[schema(default = false)]
    authorization: bool,
    /// Header fields by which guests before this one name the principal: a request with one of them
    /// is treated like one with `authorization`. Left out: `x-principal`.
    principal_headers: Vec<HeaderName>,
    /// Whether `cache-control` of requests counts. Without it no client can make the upstream be
    /// asked.
    #[schema(default = true)]
    client_control: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_body: 262_144,
            default_ttl: 0,
            keep_stale: 3600,
            authorization: false,
            principal_headers: vec![HeaderName::parse("x-principal").expect("a header name")],
            client_control: true,
        }
    }
}

struct Cache {
    config: Config,
    /// An instance serves one body at a time, from its first chunk to its last. `None` for one that
    /// is too large.
    body: RefCell<Option<Vec<u8>>>,
    /// Whether a chunk of the request's body had something in it.
    has_body: Cell<bool>,
}

/// The name in `cache-status` (RFC 9211).
const NAME: &str = "sentinel";

#[guest]
impl Guest for Cache {
    fn configure(config: Config) -> Result<Self, String> {
        if config.max_body > 900_000 {
            return Err("max_body: a guest's answer has 1 MiB at most; it is at most 900000".into());
        }
        Ok(Self { config, body: RefCell::new(Some(Vec::new())), has_body: Cell::new(false) })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let url = exchange::url_of(request);
        match request.method() {
            "GET" | "HEAD" => {}
            // Safe, and nothing to store (RFC 9110, section 9.2.1).
            "OPTIONS" | "TRACE" => return Ok(()),
            _ => {
                let exchange = Exchange::of(request, url, Purpose::Invalidate);
                request.set_context_bytes(exchange.encode());
                return Ok(());
            }
        }
        let headers = request.head().headers();
        let has_body = headers.get("content-length").is_some_and(|length| length != b"0");
        let is_private = self.is_authorized(request) && !self.config.authorization;
        // A body is no part of the key, and a range is no whole response.
        if has_body || is_private || headers.get("range").is_some() {
            return Ok(());
        }
        let directives = self.directives(request);
        if directives.no_store {
            return Ok(());
        }
        let now = clock::wall().as_secs();
        let fields = exchange::fields_of(request);
        let (forward, found) = match store::look_up(&url, &fields) {
            Lookup::Found(found) => match self.answer(request, &directives, &found, now) {
                Some(response) => return Err(response),
                None => ("stale", Some(found)),
            },
            Lookup::OtherVariants => ("vary-miss", None),
            Lookup::Nothing => ("uri-miss", None),
        };
        if directives.only_if_cached {
            return Err(Response::new(504).header("cache-status", format!("{NAME}; fwd={forward}")));
        }
        let mut exchange = Exchange::of(request, url, Purpose::Store { is_get: request.method() == "GET" });
        exchange.forward = forward.into();
        if let Some(found) = found.filter(|found| store::body(&found.entry).is_some()) {
            ask_whether_it_changed(request, &found.entry);
            exchange.purpose = Purpose::Validate { place: found.place, is_get: request.method() == "GET" };
        }
        let context = exchange.encode();
        if request.method() == "GET" && !context.is_empty() {
            // A body shows by its chunks alone if nobody says its length. What the upstream makes
            // of it is no answer to others.
            request.stream_body();
        }
        request.set_context_bytes(context);
        Ok(())
    }

    fn on_request_chunk(&self, chunk: &mut RequestChunk) -> Result<(), Response> {
        let has_body = self.has_body.get() || !chunk.bytes().is_empty();
        self.has_body.set(has_body && !chunk.is_last());
        if chunk.is_last() && !has_body {
            if let Some(exchange) = Exchange::decode(chunk.context_bytes()) {
                store::note_no_body(exchange.number);
            }
        }
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        let Some(exchange) = Exchange::decode(response.context_bytes()) else { return Ok(()) };
        match &exchange.purpose {
            Purpose::Invalidate => {
                invalidate(response, &exchange);
                Ok(())
            }
            Purpose::Validate { place, is_get } => {
                let now = clock::wall().as_secs();
                store::end_validation(place);
                let stored = store::load(place).and_then(|entry| Some((store::body(&entry)?, entry)));
                match (response.status(), stored) {
                    (304, Some((body, entry))) => Err(self.validated(response, &exchange, place, entry, body, now)),
                    (304, None) => {
                        // The client did not ask for a 304, and what it was about is gone.
                        warn!("a stored response was dropped while it was validated");
                        Err(Response::new(503).header("retry-after", "0"))
                    }
                    (500..=599, Some((body, entry)))
                        if !entry.must_revalidate && entry.stale_for(now) < entry.stale_if_error =>
                    {
                        let answer = entry.response(body, now, exchange.none_match(), exchange.modified_since());
                        let status = format!("{NAME}; hit; fwd=stale; fwd-status={}", response.status());
                        Err(answer.header("cache-status", status))
                    }
                    _ => {
                        self.store_response(response, &exchange, *is_get, now);
                        Ok(())
                    }
                }
            }
            Purpose::Store { is_get } => {
                self.store_response(response, &exchange, *is_get, clock::wall().as_secs());
                Ok(())
            }
        }
    }

    fn on_response_chunk(&self, chunk: &mut ResponseChunk) -> Result<(), Response> {
        let mut body = self.body.borrow_mut();
        match body.as_mut() {
            Some(collected) if collected.len() + chunk.bytes().len() <= self.config.max_body => {
                collected.extend(chunk.bytes());
            }
            _ => *body = None,
        }
        if chunk.is_last() {
            let whole = body.replace(Vec::new());
            if let Some(exchange) = Exchange::decode(chunk.context_bytes()) {
                self.store_body(&exchange, whole);
            }
        }
        Ok(())
    }
}

impl Cache {
    /// The fields that make a request somebody's: credentials, or whose they were that a guest
    /// before this one took.
    fn credentials(&self) -> impl Iterator<Item = &str> {
        std::iter::once("authorization").chain(self.config.principal_headers.iter().map(|name| &**name))
    }

    fn is_authorized(&self, request: &Request) -> bool {
        self.credentials().any(|name| request.head().header(name).is_some())
    }

    fn directives(&self, request: &Request) -> Directives {
        if !self.config.client_control {
            return Directives::default();
        }
        let headers = request.head().headers();
        let mut directives = Directives::parse(headers.get_all("cache-control"));
        // Section 5.4: of clients that know HTTP/1.0 only.
        let old =
            headers.get("cache-control").is_none() && headers.get("pragma").is_some_and(|value| value == b"no-cache");
        directives.no_cache |= old;
        directives
    }

    /// The stored response, if the request may have it without asking the upstream.
    fn answer(&self, request: &Request, asked: &Directives, found: &Found, now: u64) -> Option<Response> {
        let entry = &found.entry;
        if self.is_authorized(request) && !entry.shared {
            return None;
        }
        let (age, fresh, stale) = (entry.age_at(now), entry.fresh_for(now), entry.stale_for(now));
        let wants_newer = asked.no_cache
            || asked.max_age.is_some_and(|most| age > most)
            || asked.min_fresh.is_some_and(|least| fresh < least);
        if wants_newer || entry.no_cache {
            return None;
        }
        if fresh == 0 {
            let tolerated = !entry.has_s_maxage && asked.max_stale.is_some_and(|most| stale <= most);
            // One request of all finds out whether it changed; the others need not wait for it.
            let others_validate = || stale < entry.stale_while_revalidate && !store::begin_validation(&found.place);
            if entry.must_revalidate || !(tolerated || others_validate()) {
                return None;
            }
        }
        let headers = request.head().headers();
        let answer =
            entry.response(store::body(entry)?, now, headers.get("if-none-match"), headers.get("if-modified-since"));
        let left = i128::from(fresh) - i128::from(stale);
        Some(answer.header("cache-status", format!("{NAME}; hit; ttl={left}")))
    }

    /// The stored response after a 304, which renews it.
    fn validated(
        &self,
        response: &IncomingResponse,
        exchange: &Exchange,
        place: &[u8],
        entry: Entry,
        body: Vec<u8>,
        now: u64,
    ) -> Response {
        let default_lifetime = self.config.default_ttl.into();
        let entry = match entry.freshened(exchange::fields_of_response(response), now, default_lifetime) {
            Some(fresh) => {
                let found = Found { place: place.into(), entry: fresh };
                let seconds = found.entry.keep_for(now, self.config.keep_stale.into());
                if let Err(error) = store::renew(&exchange.url, &found, &body, seconds.max(1)) {
                    warn!("a validated response cannot be stored: {error}");
                }
                found.entry
            }
            None => {
                store::forget(&exchange.url);
                entry
            }
        };
        let answer = entry.response(body, now, exchange.none_match(), exchange.modified_since());
        answer.header("cache-status", format!("{NAME}; hit; fwd=stale; fwd-status=304"))
    }

    /// Keep the head until the body is there, if the response may be stored.
    fn store_response(&self, response: &mut IncomingResponse, exchange: &Exchange, is_get: bool, now: u64) {
        let length = response.head().header("content-length");
        let length = length.and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
        let fits = length.is_none_or(|length| length <= self.config.max_body);
        let fields = exchange::fields_of_response(response);
        let lifetime = self.config.default_ttl.into();
        let is_authorized = self.credentials().any(|name| exchange.has(name));
        let entry = Entry::new(response.status(), fields, now, lifetime, is_authorized);
        let had_no_body = is_get && store::take_no_body(exchange.number);
        let is_from_upstream = response.origin() != sentinel_sdk::Origin::Gateway;
        let stored = match entry {
            Some(entry) if is_get && had_no_body && fits && is_from_upstream => {
                let seconds = entry.keep_for(now, self.config.keep_stale.into()).max(1);
                if response.status() == 204 {
                    store::store(&exchange.url, &exchange.fields, entry, b"", seconds)
                } else {
                    response.stream_body();
                    let mut record = wire::Writer::default();
                    record.number(seconds);
                    entry.write(&mut record);
                    store::put_pending(exchange.number, record.0)
                }
            }
            _ => {
                response.append_header("cache-status", format!("{NAME}; fwd={}", exchange.forward));
                return;
            }
        };
        match stored {
            Ok(()) => response.append_header("cache-status", format!("{NAME}; fwd={}; stored", exchange.forward)),
            Err(error) => {
                response.skip_body();
                told(error);
                response.append_header("cache-status", format!("{NAME}; fwd={}", exchange.forward));
            }
        }
    }

    fn store_body(&self, exchange: &Exchange, body: Option<Vec<u8>>) {
        let Some(record) = store::take_pending(exchange.number) else { return };
        let Some(body) = body else { return };
        let mut reader = wire::Reader(&record);
        let Some((seconds, entry)) = reader.number().zip(Entry::read(&mut reader)) else { return };
        if let Err(error) = store::store(&exchange.url, &exchange.fields, entry, &body, seconds) {
            told(error);
        }
    }
}

/// A full quota is no fault: what is stored makes room as it ends.
fn told(error: kv::Error) {
    if error == kv::Error::Full {
        debug!("a response cannot be stored: {error}");
    } else {
        warn!("a response cannot be stored: {error}");
    }
}

/// Section 4.3.1. The client's own conditions are about what it has, and come into play when the
/// answer is there. An entry without a validator is asked for anew, as a whole.
fn ask_whether_it_changed(request: &mut Request, entry: &Entry) {
    for name in ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since"] {
        if request.head().header(name).is_some() {
            request.remove_header(name);
        }
    }
    if let Some(tag) = entry.field("etag") {
        request.set_header("if-none-match", tag);
    }
    if let Some(date) = entry.field("last-modified") {
        request.set_header("if-modified-since", date);
    }
}

/// Section 4.4: what a successful change was about, and what its response names on the same host.
fn invalidate(response: &IncomingResponse, exchange: &Exchange) {
    if !(200..400).contains(&response.status()) {
        return;
    }
    store::forget(&exchange.url);
    for name in ["location", "content-location"] {
        let named = response.head().header(name).and_then(|value| std::str::from_utf8(value).ok());
        if let Some(url) = named.and_then(|url| exchange.url_on_same_host(url)) {
            store::forget(&url);
        }
    }
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
