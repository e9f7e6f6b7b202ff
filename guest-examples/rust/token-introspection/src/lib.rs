//! Lets a request pass if an authorization server says that its bearer token is active (RFC 7662),
//! and tells the upstream whose it is. What the server says is remembered for a while, under the
//! token's hash.

mod server;

use std::time::Duration;

use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, kv};
use sha2::{Digest, Sha256};

use crate::server::{Server, Verdict};

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The introspection endpoint's URL.
    endpoint: String,
    /// How the gateway identifies itself there.
    #[serde(default)]
    authorization: Option<String>,
    /// Seconds for which an active token is not asked about again, at most until it ends.
    #[serde(default = "default_cache")]
    #[schema(default = 60)]
    cache: u32,
    /// The same for one that is not active.
    #[serde(default = "default_refused_cache")]
    #[schema(default = 5)]
    refused_cache: u32,
    /// Where the upstream finds the principal.
    #[serde(default = "default_principal_header")]
    #[schema(default = "x-principal")]
    principal_header: HeaderName,
}

fn default_cache() -> u32 {
    60
}

fn default_refused_cache() -> u32 {
    5
}

fn default_principal_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

struct TokenIntrospection {
    server: Server,
    cache: Duration,
    refused_cache: Duration,
    principal_header: HeaderName,
}

#[guest]
impl Guest for TokenIntrospection {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self {
            server: Server { endpoint: config.endpoint, authorization: config.authorization },
            cache: Duration::from_secs(config.cache.into()),
            refused_cache: Duration::from_secs(config.refused_cache.into()),
            principal_header: config.principal_header,
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let mut sent = request.head().headers().get_all("authorization");
        let Some(token) = sent.next().and_then(bearer) else {
            return Err(challenge("Bearer"));
        };
        if sent.next().is_some() {
            return Err(Response::new(400).body("more than one authorization was sent\n"));
        }
        let key = Sha256::digest(token);
        let verdict = match remembered(&key) {
            Some(verdict) => verdict,
            None => {
                let verdict = self.server.ask(token).map_err(|reason| {
                    error!("the authorization server: {reason}");
                    Response::new(503).header("retry-after", "1").body("the token cannot be checked\n")
                })?;
                self.remember(&key, &verdict);
                verdict
            }
        };
        match verdict {
            Verdict::Active { principal, .. } => request.set_header(&self.principal_header, principal),
            Verdict::Refused => return Err(challenge("Bearer error=\"invalid_token\"")),
        }
        Ok(())
    }
}

impl TokenIntrospection {
    /// No longer than the token lives: one that is revoked meanwhile passes for as long as `cache`
    /// says.
    fn remember(&self, key: &[u8], verdict: &Verdict) {
        let (value, lasts) = match verdict {
            Verdict::Active { principal, expires } => {
                let left = expires.map_or(Duration::MAX, |at| Duration::from_secs(at).saturating_sub(clock::wall()));
                (format!("+{principal}"), self.cache.min(left))
            }
            Verdict::Refused => ("-".into(), self.refused_cache),
        };
        if lasts.is_zero() {
            return;
        }
        if let Err(error) = kv::set(key, value, Some(lasts)) {
            warn!("cannot remember what the authorization server said: {error}");
        }
    }
}

fn remembered(key: &[u8]) -> Option<Verdict> {
    let value = String::from_utf8(kv::get(key).ok()??).ok()?;
    match value.strip_prefix('+') {
        Some(principal) => Some(Verdict::Active { principal: principal.into(), expires: None }),
        None => Some(Verdict::Refused),
    }
}

/// The token of `Bearer TOKEN` (RFC 6750, section 2.1), whatever the scheme's case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty() && token.iter().all(is_token)).then_some(token)
}

fn challenge(scheme: &str) -> Response {
    Response::new(401).header("www-authenticate", scheme)
}

config_schema!(Config);

#[cfg(test)]
mod tests;
