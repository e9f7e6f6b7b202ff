//! Lets each principal make so many requests in 24 hours, over all workers of the gateway.

use std::time::Duration;

use sentinel_sdk::metrics::Description;
use sentinel_sdk::prelude::*;
use sentinel_sdk::{kv, metrics};

/// From a principal's first request on; the count begins anew with the first one after it.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Requests in 24 hours, from a principal's first one on.
    limit: u32,
    /// Who is counted; without that header the client's address.
    #[serde(default = "default_header")]
    #[schema(default = "x-principal")]
    header: HeaderName,
}

fn default_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

struct DailyQuota(Config);

#[guest]
impl Guest for DailyQuota {
    fn configure(config: Config) -> Result<Self, String> {
        metrics::describe("quota_refused", Description::counter("Requests beyond a principal's daily quota."));
        Ok(Self(config))
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let count = match kv::add(key(request, &self.0.header), 1, Some(DAY)) {
            Ok(count) => count,
            Err(error) => {
                // Whoever cannot be counted is not let through: a flood of principals would be a
                // way around the quota.
                error!("cannot count: {error}");
                return Err(Response::new(503).body("the quota cannot be checked\n"));
            }
        };
        let limit = i64::from(self.0.limit);
        if count > limit {
            metrics::add("quota_refused", &[], 1);
            return Err(Response::new(429)
                .header("x-quota-limit", limit.to_string())
                .body("the daily quota is used up\n"));
        }
        request.set_context_bytes((limit - count).to_string());
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        if let Ok(remaining) = std::str::from_utf8(response.context_bytes()) {
            if !remaining.is_empty() {
                response.set_header("x-quota-remaining", remaining);
            }
        }
        Ok(())
    }
}

/// Who is counted: the principal, or for want of one the client's address. No principal looks like
/// an address.
fn key(request: &Request, header: &HeaderName) -> Vec<u8> {
    match request.header(header) {
        Some(principal) => [b"principal ", &*principal].concat(),
        None => format!("client {}", request.client()).into_bytes(),
    }
}

config_schema!(Config);
self_test!("self-test.json");
