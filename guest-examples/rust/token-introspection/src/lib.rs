//! Lets a request pass if an authorization server says that its bearer token is active (RFC 7662),
//! that it is for this service, and tells the upstream whose it is. What the server says is
//! remembered for a while, under a hash of the endpoint and the token.

mod demands;
mod server;

use std::time::Duration;

use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, kv};
use sha2::{Digest, Sha256};

use crate::demands::{Demands, Unmet};
use crate::server::{Server, Verdict};

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The introspection endpoint's URL.
    endpoint: String,
    /// How the gateway identifies itself there.
    #[serde(default)]
    authorization: Option<String>,
    /// Scopes that the token has to have, all of them; otherwise the answer is 403.
    #[serde(default)]
    required_scopes: Vec<String>,
    /// `aud` has to hold one of these. Left out: any.
    #[serde(default)]
    audiences: Vec<String>,
    /// Accepted values of `iss`. Left out: any.
    #[serde(default)]
    issuers: Vec<String>,
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
    demands: Demands,
    cache: Duration,
    refused_cache: Duration,
    principal_header: HeaderName,
}

#[guest]
impl Guest for TokenIntrospection {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self {
            server: Server { endpoint: config.endpoint, authorization: config.authorization },
            demands: Demands::new(config.required_scopes, config.audiences, config.issuers)?,
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
        // Places of a chain share the guest's keys, and may ask different servers.
        let key = Sha256::new().chain_update(&self.server.endpoint).chain_update([0]).chain_update(token).finalize();
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
        let Verdict::Active(grant) = verdict else {
            return Err(challenge("Bearer error=\"invalid_token\""));
        };
        match self.demands.unmet(&grant) {
            None => request.set_header(&self.principal_header, grant.principal),
            Some(Unmet::Elsewhere) => return Err(challenge("Bearer error=\"invalid_token\"")),
            Some(Unmet::Scope) => {
                // RFC 6750, section 3.1.
                let scope = self.demands.scope();
                let told = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
                return Err(Response::new(403).header("www-authenticate", told));
            }
        }
        Ok(())
    }
}

impl TokenIntrospection {
    /// No longer than the token lives: one that is revoked meanwhile passes for as long as `cache`
    /// says.
    fn remember(&self, key: &[u8], verdict: &Verdict) {
        let lasts = match verdict {
            Verdict::Active(grant) => {
                let left =
                    grant.expires.map_or(Duration::MAX, |at| Duration::from_secs(at).saturating_sub(clock::wall()));
                self.cache.min(left)
            }
            Verdict::Refused => self.refused_cache,
        };
        if lasts.is_zero() {
            return;
        }
        let value = serde_json::to_vec(verdict).expect("text, lists and numbers");
        if let Err(error) = kv::set(key, value, Some(lasts)) {
            warn!("cannot remember what the authorization server said: {error}");
        }
    }
}

fn remembered(key: &[u8]) -> Option<Verdict> {
    serde_json::from_slice(&kv::get(key).ok()??).ok()
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
self_test!("self-test.json");

#[cfg(test)]
mod tests;
