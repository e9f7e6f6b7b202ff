//! Lets a request pass with a JSON Web Token that one of the issuer's keys has signed and that
//! holds here and now (RFC 7519, RFC 8725), and tells the upstream what it claims.

mod config;
mod credential;
mod seen;

use std::collections::BTreeMap;
use std::rc::Rc;

use jose::{claim, text_of, Algorithm, Claims, KeySet, Rejection, Remote, Scopes, Token, Validation};
use sentinel_sdk::clock;
use sentinel_sdk::prelude::*;

use crate::config::Config;
use crate::credential::{Found, Places};
use crate::seen::Seen;

struct JwtAuth {
    keys: KeySet,
    remote: Option<Remote>,
    algorithms: Vec<Algorithm>,
    types: Vec<String>,
    validation: Validation,
    require: BTreeMap<String, Vec<String>>,
    scopes: Scopes,
    headers: Vec<(HeaderName, String)>,
    seen: Seen,
    places: Places,
    forward: bool,
    optional: bool,
    realm: String,
}

/// Why a request does not pass.
enum Refusal {
    /// 401, with a reason unless no token was sent.
    Unauthorized(Option<Rejection>),
    Ambiguous,
    Forbidden,
    /// A scope is missing.
    Unscoped,
    /// The keys cannot be had.
    Unavailable,
}

#[guest]
impl Guest for JwtAuth {
    fn configure(config: Config) -> Result<Self, String> {
        config.build()
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        // What the client says of itself never reaches the upstream under these names.
        let sent = self.headers.iter().filter(|(name, _)| request.head().header(name).is_some());
        let sent: Vec<HeaderName> = sent.map(|(name, _)| name.clone()).collect();
        let token = match self.places.find(request.head()) {
            Found::One(token) => token,
            Found::None if self.optional => {
                sent.iter().for_each(|name| request.remove_header(name));
                return Ok(());
            }
            Found::None => return Err(self.refuse(Refusal::Unauthorized(None))),
            Found::Several => return Err(self.refuse(Refusal::Ambiguous)),
        };
        let claims = self.check(&token).map_err(|refusal| self.refuse(refusal))?;
        for (name, wanted) in &self.headers {
            match claim(&claims, wanted).and_then(text_of) {
                Some(value) => request.set_header(name, value),
                None if sent.contains(name) => request.remove_header(name),
                None => {}
            }
        }
        if !self.forward {
            self.places.remove(request);
        }
        Ok(())
    }
}

impl JwtAuth {
    fn check(&self, text: &[u8]) -> Result<Claims, Refusal> {
        let invalid = |reason| Refusal::Unauthorized(Some(reason));
        let token = Token::parse(text).ok_or(invalid("the token cannot be read"))?;
        if !self.algorithms.is_empty() && !self.algorithms.contains(&token.algorithm()) {
            return Err(invalid("the token's algorithm is not accepted"));
        }
        if !self.types.is_empty() && !token.is_one_of(&self.types) {
            return Err(invalid("the token is of another type"));
        }
        let payload = self.payload(text, &token)?.ok_or(invalid("the token's signature is not right"))?;
        let claims = self.validation.claims(&payload, clock::wall()).map_err(invalid)?;
        let has = |(name, values): (&String, &Vec<String>)| jose::holds_any(claim(&claims, name), values);
        if !self.require.iter().all(has) {
            return Err(Refusal::Forbidden);
        }
        if !self.scopes.are_claimed(&claims) {
            return Err(Refusal::Unscoped);
        }
        Ok(claims)
    }

    /// What the token says, if one of the keys signed it.
    fn payload(&self, text: &[u8], token: &Token) -> Result<Option<Vec<u8>>, Refusal> {
        let (name, algorithm) = (token.key_id(), token.algorithm());
        if algorithm.is_symmetric() {
            // It costs no more than finding out whether it came before.
            return Ok(token.verified(self.keys.candidates(name, algorithm)));
        }
        let id = seen::id(text);
        if let Some(payload) = self.verified(token, &id, &self.keys, None) {
            return Ok(Some(payload));
        }
        let Some(remote) = &self.remote else { return Ok(None) };
        let keys = remote.keys().ok_or(Refusal::Unavailable)?;
        if let Some(payload) = self.verified(token, &id, &keys, Some(&keys)) {
            return Ok(Some(payload));
        }
        if keys.candidates(name, algorithm).next().is_some() {
            return Ok(None);
        }
        // A key that is not there yet: the issuer has new ones.
        Ok(remote.newer_keys().and_then(|keys| self.verified(token, &id, &keys, Some(&keys))))
    }

    fn verified(&self, token: &Token, id: &seen::Id, keys: &KeySet, fetched: Option<&Rc<KeySet>>) -> Option<Vec<u8>> {
        if let Some(payload) = self.seen.payload(id, fetched) {
            return Some(payload);
        }
        let payload = token.verified(keys.candidates(token.key_id(), token.algorithm()))?;
        self.seen.remember(*id, &payload, fetched);
        Some(payload)
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let challenge = |rest: &str| format!("Bearer realm=\"{}\"{rest}", self.realm);
        let (status, header, value, reason) = match refusal {
            Refusal::Unauthorized(None) => (401, "www-authenticate", challenge(""), "a token is required"),
            Refusal::Unauthorized(Some(reason)) => {
                let rest = format!(", error=\"invalid_token\", error_description=\"{reason}\"");
                (401, "www-authenticate", challenge(&rest), reason)
            }
            Refusal::Ambiguous => {
                (400, "www-authenticate", challenge(", error=\"invalid_request\""), "more than one token was sent")
            }
            Refusal::Forbidden => {
                (403, "www-authenticate", challenge(", error=\"insufficient_scope\""), "the token does not permit this")
            }
            Refusal::Unscoped => {
                // RFC 6750, section 3.1.
                let rest = format!(", error=\"insufficient_scope\", scope=\"{}\"", self.scopes.joined());
                (403, "www-authenticate", challenge(&rest), "the token lacks a scope")
            }
            Refusal::Unavailable => (503, "retry-after", "1".into(), "the token cannot be checked"),
        };
        Response::new(status)
            .header("content-type", "application/json")
            .header(header, value)
            .body(sentinel_sdk::json::Object::new().string("error", reason).into_string())
    }
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
