//! The OpenID provider: its configuration (OpenID Connect Discovery 1.0), and its tokens (RFC 6749,
//! RFC 7636).

use std::cell::RefCell;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use jose::{Claims, Remote, Token, Validation};
use sentinel_sdk::{clock, http, kv};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::forms;

/// How long the provider's configuration is kept, and its keys.
const KEPT: Duration = Duration::from_secs(3600);
const KEYS: [Duration; 3] = [Duration::from_secs(300), Duration::from_secs(10), Duration::from_secs(3600)];

pub struct Provider {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    pub redirect_uri: String,
    pub leeway: Duration,
    known: RefCell<Option<(Duration, Endpoints)>>,
    keys: RefCell<Option<(String, Remote)>>,
}

/// What the provider's configuration says (Discovery, section 3).
#[derive(Clone, Deserialize, Serialize)]
pub struct Endpoints {
    issuer: String,
    pub authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    pub end_session_endpoint: Option<String>,
}

/// What the token endpoint gives (RFC 6749, section 5.1).
#[derive(Deserialize)]
pub struct Tokens {
    #[serde(default)]
    pub id_token: Option<String>,
    pub access_token: String,
    #[serde(default)]
    pub refresh_token: Option<String>,
    #[serde(default)]
    pub expires_in: Option<u64>,
}

/// Why there are no tokens.
#[derive(Debug)]
pub enum Failure {
    /// The provider says no: the code, or the session there, is no longer good.
    Refused(String),
    /// Whoever has logged in there may not come in here.
    NotAllowed(String),
    /// It cannot be asked, or does not answer as it should.
    Unavailable(String),
}

impl Provider {
    pub fn new(
        issuer: String,
        client_id: String,
        client_secret: Option<String>,
        redirect_uri: String,
        leeway: Duration,
    ) -> Self {
        let (known, keys) = (RefCell::default(), RefCell::default());
        Self { issuer, client_id, client_secret, redirect_uri, leeway, known, keys }
    }

    /// The provider's configuration, kept for all workers.
    pub fn endpoints(&self) -> Result<Endpoints, Failure> {
        let now = clock::monotonic();
        if let Some((_, known)) = self.known.borrow().as_ref().filter(|(at, _)| now < *at + KEPT) {
            return Ok(known.clone());
        }
        let key = format!("configuration {}", self.issuer);
        let stored = kv::get(&key).ok().flatten().and_then(|text| serde_json::from_slice(&text).ok());
        let endpoints = match stored {
            Some(endpoints) => endpoints,
            None => {
                let fetched = self.discover()?;
                // Without it every instance asks for itself.
                let _ = kv::set(&key, serde_json::to_vec(&fetched).expect("plain data"), Some(KEPT));
                fetched
            }
        };
        *self.known.borrow_mut() = Some((now, endpoints.clone()));
        Ok(endpoints)
    }

    fn discover(&self) -> Result<Endpoints, Failure> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let answer = http::get(url).header("accept", "application/json").send();
        let answer = answer.map_err(|error| Failure::Unavailable(error.to_string()))?;
        let endpoints: Option<Endpoints> =
            serde_json::from_slice(answer.body()).ok().filter(|_| answer.status() == 200);
        match endpoints {
            // Section 4.3: another issuer's configuration is not this one's.
            Some(endpoints) if endpoints.issuer == self.issuer => Ok(endpoints),
            Some(_) => Err(Failure::Unavailable("its configuration is of another issuer".into())),
            None => Err(Failure::Unavailable("it has no configuration".into())),
        }
    }

    /// Tokens for a code.
    pub fn exchange(&self, code: &str, verifier: &str) -> Result<Tokens, Failure> {
        self.ask(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", verifier),
        ])
    }

    /// Tokens for a refresh token.
    pub fn refresh(&self, token: &str) -> Result<Tokens, Failure> {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    fn ask(&self, pairs: &[(&str, &str)]) -> Result<Tokens, Failure> {
        let mut pairs = pairs.to_vec();
        if self.client_secret.is_none() {
            pairs.push(("client_id", &self.client_id));
        }
        let mut request = http::post(self.endpoints()?.token_endpoint, forms::encode(&pairs))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json");
        if let Some(secret) = &self.client_secret {
            // RFC 6749, section 2.3.1: both are escaped first.
            let pair = format!("{}:{}", forms::escape(&self.client_id), forms::escape(secret));
            request = request.header("authorization", format!("Basic {}", Base64::encode_string(pair.as_bytes())));
        }
        let answer = request.send().map_err(|error| Failure::Unavailable(error.to_string()))?;
        match answer.status() {
            200 => serde_json::from_slice(answer.body())
                .map_err(|_| Failure::Unavailable("its token endpoint does not answer as RFC 6749 says".into())),
            status @ 400..=403 => Err(Failure::Refused(format!("its token endpoint answers {status}"))),
            status => Err(Failure::Unavailable(format!("its token endpoint answers {status}"))),
        }
    }

    /// What an ID token claims (OpenID Connect Core 1.0, section 3.1.3.7); with a nonce, that one.
    pub fn identity(&self, text: &str, nonce: Option<&str>) -> Result<Claims, Failure> {
        let refused = |reason: &str| Failure::Refused(format!("the ID token: {reason}"));
        let token = Token::parse(text.as_bytes()).ok_or_else(|| refused("it cannot be read"))?;
        let payload = self.verified(&token)?.ok_or_else(|| refused("its signature is not right"))?;
        let validation = Validation {
            issuers: vec![self.issuer.clone()],
            audiences: vec![self.client_id.clone()],
            required: ["sub", "exp", "iat"].map(str::to_owned).into(),
            leeway: self.leeway,
        };
        let claims = validation.claims(&payload, clock::wall()).map_err(refused)?;
        let party = claims.get("azp");
        let is_for_several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
        if (is_for_several || party.is_some()) && party.and_then(Value::as_str) != Some(&self.client_id) {
            return Err(refused("it is for another party"));
        }
        if nonce.is_some() && claims.get("nonce").and_then(Value::as_str) != nonce {
            return Err(refused("its nonce is another"));
        }
        Ok(claims)
    }

    fn verified(&self, token: &Token) -> Result<Option<Vec<u8>>, Failure> {
        let uri = self.endpoints()?.jwks_uri;
        let mut keys = self.keys.borrow_mut();
        if keys.as_ref().is_none_or(|(known, _)| *known != uri) {
            *keys = Some((uri.clone(), Remote::new(uri, KEYS)));
        }
        let Some((_, remote)) = keys.as_ref() else { return Ok(None) };
        let found = remote.keys().ok_or_else(|| Failure::Unavailable("its keys cannot be had".into()))?;
        let verify = |keys: &jose::KeySet| token.verified(keys.candidates(token.key_id(), token.algorithm()));
        Ok(verify(&found).or_else(|| {
            let is_known = found.candidates(token.key_id(), token.algorithm()).next().is_some();
            (!is_known).then(|| remote.newer_keys()).flatten().and_then(|keys| verify(&keys))
        }))
    }
}
