//! Gives each principal a budget of tokens for language models, counts what answers took, and
//! refuses beyond it.

mod meter;
mod usage;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, json, kv, media_type};

use crate::meter::Meter;
use crate::usage::Count;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Tokens that each principal has in a window.
    limit: u64,
    /// Seconds of a window. Windows begin at multiples of it since 1970-01-01 UTC.
    #[serde(default = "default_window")]
    #[schema(default = 86400, minimum = 1)]
    window: u32,
    /// Which tokens count: those of the prompt (`input`), those of the answer (`output`), or both
    /// (`total`).
    #[serde(default)]
    #[schema(default = "total")]
    count: Count,
    /// Whose budget it is; without that header the client's address.
    #[serde(default = "default_header")]
    #[schema(default = "x-principal")]
    header: HeaderName,
    /// Budgets of principals that have another one.
    #[serde(default)]
    limits: BTreeMap<String, u64>,
}

fn default_window() -> u32 {
    86_400
}

fn default_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

struct TokenQuota {
    config: Config,
    /// An instance serves one body at a time, from its first chunk to its last.
    meter: RefCell<Meter>,
}

/// What the later hooks need: whose budget, and what was left of it.
struct Account<'a> {
    key: &'a [u8],
    limit: u64,
    left: u64,
    reset: u64,
}

#[guest]
impl Guest for TokenQuota {
    fn configure(config: Config) -> Result<Self, String> {
        if config.window == 0 {
            return Err("window: it has a second at least".into());
        }
        Ok(Self { config, meter: RefCell::default() })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let now = clock::wall().as_secs();
        let window = u64::from(self.config.window);
        let reset = window - now % window;
        let (principal, limit) = self.budget(request);
        let key = [&(now / window).to_le_bytes()[..], &principal].concat();
        // Adding nothing makes the number, so that a store that is full is noticed before the
        // upstream works.
        let used = kv::add(&key, 0, Some(Duration::from_secs(reset))).map_err(|error| {
            error!("cannot count: {error}");
            Response::new(503).body("the token quota cannot be checked\n")
        })?;
        let left = limit.saturating_sub(used.try_into().unwrap_or(0));
        if left == 0 {
            return Err(refusal(limit, reset));
        }
        // What is compressed cannot be counted.
        request.set_header("accept-encoding", "identity");
        request.set_context_bytes(Account { key: &key, limit, left, reset }.encode());
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        let Some(account) = Account::decode(response.context_bytes()) else { return Ok(()) };
        for (name, number) in [("limit", account.limit), ("remaining", account.left), ("reset", account.reset)] {
            response.set_header(&format!("x-ratelimit-{name}-tokens"), number.to_string());
        }
        let headers = response.head().headers();
        let kinds = || headers.get_all("content-type").map(media_type);
        let is_answer = kinds().any(|kind| kind == "text/event-stream" || kind.ends_with("json"));
        if is_answer && (200..300).contains(&response.status()) {
            if headers.has_content_coding() {
                warn!("an answer is encoded: its tokens are estimated");
            }
            response.stream_body();
        }
        Ok(())
    }

    /// The body passes as it is. What is known so far is charged at once: a client that leaves
    /// before the end has had it.
    fn on_response_chunk(&self, chunk: &mut ResponseChunk) -> Result<(), Response> {
        let mut meter = self.meter.borrow_mut();
        meter.feed(chunk.bytes(), chunk.is_last());
        let tokens = meter.tokens(self.config.count);
        if let Some(account) = Account::decode(chunk.context_bytes()) {
            let delta = i64::try_from(tokens).unwrap_or(i64::MAX) - i64::try_from(meter.charged).unwrap_or(i64::MAX);
            if delta != 0 {
                match kv::add(account.key, delta, Some(Duration::from_secs(self.config.window.into()))) {
                    Ok(_) => meter.charged = tokens,
                    Err(error) => error!("{delta} tokens cannot be charged: {error}"),
                }
            }
        }
        if chunk.is_last() {
            *meter = Meter::default();
        }
        Ok(())
    }
}

impl TokenQuota {
    /// Whose budget it is, as part of a key, and how large. No principal looks like an address.
    fn budget(&self, request: &Request) -> (Vec<u8>, u64) {
        match request.header(&self.config.header) {
            Some(principal) => {
                let own = std::str::from_utf8(&principal).ok().and_then(|name| self.config.limits.get(name));
                ([b"principal ", &*principal].concat(), own.copied().unwrap_or(self.config.limit))
            }
            None => (format!("client {}", request.client()).into_bytes(), self.config.limit),
        }
    }
}

impl<'a> Account<'a> {
    fn encode(&self) -> Vec<u8> {
        let numbers = [self.limit, self.left, self.reset].map(u64::to_le_bytes).concat();
        [&numbers, self.key].concat()
    }

    fn decode(context: &'a [u8]) -> Option<Self> {
        let (limit, rest) = context.split_first_chunk::<8>()?;
        let (left, rest) = rest.split_first_chunk::<8>()?;
        let (reset, key) = rest.split_first_chunk::<8>()?;
        let [limit, left, reset] = [limit, left, reset].map(|bytes| u64::from_le_bytes(*bytes));
        Some(Self { key, limit, left, reset })
    }
}

/// In the form that clients of OpenAI's API understand.
fn refusal(limit: u64, reset: u64) -> Response {
    let message = format!("The token quota of {limit} is used up. Try again in {reset} s.");
    let error = json::Object::new().string("message", &message).string("type", "tokens");
    let error = error.string("code", "rate_limit_exceeded").into_string();
    Response::new(429)
        .header("content-type", "application/json")
        .header("retry-after", reset.to_string())
        .header("x-ratelimit-limit-tokens", limit.to_string())
        .header("x-ratelimit-remaining-tokens", "0")
        .header("x-ratelimit-reset-tokens", reset.to_string())
        .body(format!("{{\"error\":{error}}}"))
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
