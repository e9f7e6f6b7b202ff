//! Browsers log in at an OpenID provider (OpenID Connect Core 1.0, code flow with PKCE), and the
//! upstream learns who they are. The session is an encrypted cookie: the gateway keeps nothing of
//! it.
//!
//! Rule 1: a callback is worth something only in the browser that began the login: its cookie has
//! the state, the nonce and the verifier. Rule 2: a cookie that does not open is no cookie. Rule 3:
//! after the login the browser goes to a page of this site, whatever was asked for.

mod cookies;
mod forms;
mod provider;
mod seal;
mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use jose::{claim, holds_any, text_of, Claims};
use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, equals_secret, json, kv, random};
use sha2::{Digest, Sha256};

use crate::provider::{Failure, Provider, Tokens};
use crate::seal::Seal;
use crate::session::{Login, Session};

/// How long a login may take, in seconds.
const LOGIN: u64 = 600;
/// While one request refreshes a session, others with the same cookie go on with the old one, so
/// long at most.
const GRACE: Duration = Duration::from_secs(30);

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The provider's issuer URL, below which its configuration is found.
    issuer: String,
    /// What the provider calls this gateway.
    client_id: String,
    /// The client's secret; left out for a public client.
    #[serde(default)]
    client_secret: Option<String>,
    /// The whole URL, on this site, to which the provider sends browsers back.
    redirect_uri: String,
    /// The path that ends a session.
    #[serde(default = "default_logout_path")]
    #[schema(default = "/logout")]
    logout_path: String,
    /// The whole URL to which browsers go after that.
    #[serde(default)]
    post_logout_redirect_uri: Option<String>,
    /// Scopes to ask for beside `openid`.
    #[serde(default)]
    scopes: Vec<String>,
    /// 32 random bytes in base64, with which cookies are encrypted.
    cookie_secret: String,
    /// The session cookie's name; those of logins that have begun begin with it.
    #[serde(default = "default_cookie_name")]
    #[schema(default = "sentinel_session")]
    cookie_name: String,
    /// Seconds from a login to the next, however often the session is refreshed.
    #[serde(default = "default_session_lifetime")]
    #[schema(default = 28800, minimum = 60)]
    session_lifetime: u32,
    /// Where the upstream finds the principal; what the client sent there is removed.
    #[serde(default = "default_principal_header")]
    #[schema(default = "x-principal")]
    principal_header: HeaderName,
    /// The claim that names the principal.
    #[serde(default = "default_principal_claim")]
    #[schema(default = "sub")]
    principal_claim: String,
    /// Further headers for the upstream, and the claim of the ID token that each gets; dots lead
    /// into objects.
    #[serde(default)]
    claim_to_headers: BTreeMap<HeaderName, String>,
    /// Claims of the ID token that have to have, or to hold, one of these values; otherwise the
    /// login is answered 403.
    #[serde(default)]
    require: BTreeMap<String, Vec<String>>,
    /// Whether the upstream gets the access token, as `authorization: Bearer`.
    #[serde(default)]
    #[schema(default = false)]
    forward_access_token: bool,
    /// Seconds by which clocks may differ.
    #[serde(default = "default_leeway")]
    #[schema(default = 60, maximum = 86400)]
    leeway: u32,
}

fn default_logout_path() -> String {
    "/logout".into()
}

fn default_cookie_name() -> String {
    "sentinel_session".into()
}

fn default_session_lifetime() -> u32 {
    28_800
}

fn default_principal_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

fn default_principal_claim() -> String {
    "sub".into()
}

fn default_leeway() -> u32 {
    60
}

struct OidcLogin {
    provider: Provider,
    seal: Seal,
    /// Scheme and authority of the redirect URI.
    origin: String,
    callback_path: String,
    logout_path: String,
    post_logout_redirect_uri: Option<String>,
    scope: String,
    cookie_name: String,
    lifetime: Duration,
    headers: Vec<(HeaderName, String)>,
    require: BTreeMap<String, Vec<String>>,
    forward_access_token: bool,
}

#[guest]
impl Guest for OidcLogin {
    fn configure(config: Config) -> Result<Self, String> {
        let key = Base64::decode_vec(&config.cookie_secret).ok().filter(|key| key.len() == 32);
        let seal = key.and_then(|key| Seal::new(&key, &config.issuer, &config.client_id));
        let (origin, path) = split(&config.redirect_uri).ok_or("redirect_uri: it is no whole URL with a path")?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if config.cookie_name.is_empty() || !config.cookie_name.bytes().all(is_token) {
            return Err("cookie_name: it is no name of a cookie".into());
        }
        if !config.issuer.starts_with("https://") && !config.issuer.starts_with("http://") {
            return Err("issuer: it is no URL".into());
        }
        if !config.logout_path.starts_with('/') || config.logout_path == path {
            return Err("logout_path: it begins with a slash, and is not the redirect URI's".into());
        }
        let mut headers = vec![(config.principal_header, config.principal_claim)];
        for (name, claim) in config.claim_to_headers {
            if headers.iter().any(|(other, _)| *other == name) {
                return Err(format!("claim_to_headers: {} is the principal's header", &*name));
            }
            headers.push((name, claim));
        }
        Ok(Self {
            seal: seal.ok_or("cookie_secret: it is not 32 bytes in base64")?,
            origin: origin.into(),
            callback_path: path.into(),
            logout_path: config.logout_path,
            post_logout_redirect_uri: config.post_logout_redirect_uri,
            scope: [vec!["openid".to_owned()], config.scopes].concat().join(" "),
            cookie_name: config.cookie_name,
            lifetime: Duration::from_secs(config.session_lifetime.into()),
            headers,
            require: config.require,
            forward_access_token: config.forward_access_token,
            provider: Provider::new(
                config.issuer,
                config.client_id,
                config.client_secret,
                config.redirect_uri,
                Duration::from_secs(config.leeway.into()),
            ),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        if request.path() == self.callback_path {
            return Err(self.callback(request).unwrap_or_else(|refusal| refusal));
        }
        if request.path() == self.logout_path {
            return Err(self.logout(request));
        }
        let session = cookies::value(request, &self.cookie_name).and_then(|text| self.seal.open("session", text));
        let Some(session) = session.map_or(Ok(None), |session| self.live(request, session))? else {
            return Err(self.login(request).unwrap_or_else(|refusal| refusal));
        };
        cookies::remove(request, &self.cookie_name);
        for (name, _) in &self.headers {
            match session.headers.get(&**name) {
                Some(value) => request.set_header(name, value),
                None if request.head().header(name).is_some() => request.remove_header(name),
                None => {}
            }
        }
        if let Some(token) = session.access_token.filter(|_| self.forward_access_token) {
            request.set_header("authorization", format!("Bearer {token}"));
        }
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        let cookie = response.context_bytes();
        if !cookie.is_empty() {
            response.append_header("set-cookie", cookie);
        }
        Ok(())
    }
}

impl OidcLogin {
    /// To the provider, with a cookie that knows this login again; whoever is no browser is told
    /// so.
    fn login(&self, request: &Request) -> Result<Response, Response> {
        if !is_for_a_page(request) {
            return Err(refusal(401, "log in first"));
        }
        let head = request.head();
        let endpoints = self.provider.endpoints().map_err(unavailable)?;
        let [state, nonce, verifier] =
            [16, 16, 32].map(|length| Base64UrlUnpadded::encode_string(&random::bytes(length)));
        let target = match head.query() {
            Some(query) => format!("{}?{query}", head.path()),
            None => head.path().to_owned(),
        };
        let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(&verifier));
        let query = forms::encode(&[
            ("response_type", "code"),
            ("client_id", &self.provider.client_id),
            ("redirect_uri", &self.provider.redirect_uri),
            ("scope", &self.scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        // One that is too long for a cookie is given up.
        let target = if target.len() > 2000 { "/".into() } else { target };
        let name = self.login_cookie(&state);
        let login = Login { state, nonce, verifier, target, begun: clock::wall().as_secs() };
        let cookie = self.cookie(&name, &self.seal.seal("login", &login), LOGIN);
        let separator = if endpoints.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(redirect(&format!("{}{separator}{query}", endpoints.authorization_endpoint)).header("set-cookie", cookie))
    }

    /// Back from the provider (OpenID Connect Core 1.0, section 3.1.2.5).
    fn callback(&self, request: &Request) -> Result<Response, Response> {
        let query = request.query().unwrap_or_default();
        let state = forms::parameter(query, "state").ok_or_else(|| refusal(400, "the login has no state"))?;
        let name = self.login_cookie(&state);
        let login: Option<Login> = cookies::value(request, &name).and_then(|text| self.seal.open("login", text));
        let now = clock::wall().as_secs();
        let login = login
            .filter(|login| equals_secret(state.as_bytes(), login.state.as_bytes()) && now < login.begun + LOGIN)
            .ok_or_else(|| refusal(400, "the login was not begun in this browser, or took too long"))?;
        let done = |answer: Response| answer.header("set-cookie", self.cookie(&name, "", 0));
        // RFC 9207: whoever mixes providers up is found out.
        if forms::parameter(query, "iss").is_some_and(|issuer| issuer != self.provider.issuer) {
            return Err(done(refusal(400, "the login is of another issuer")));
        }
        let Some(code) = forms::parameter(query, "code") else {
            return Err(done(refusal(403, "the provider refused the login")));
        };
        let outcome = self.provider.exchange(&code, &login.verifier).and_then(|tokens| {
            let text = tokens.id_token.as_deref().ok_or(Failure::Refused("there is no ID token".into()))?;
            let claims = self.provider.identity(text, Some(&login.nonce))?;
            self.session(&tokens, &claims, now)
        });
        let session = outcome.map_err(|failure| {
            done(match failure {
                Failure::Refused(reason) => {
                    warn!("a login failed: {reason}");
                    refusal(403, "the provider refused the login")
                }
                Failure::NotAllowed(reason) => {
                    info!("a login is not allowed: {reason}");
                    refusal(403, "this account may not log in here")
                }
                failure => unavailable(failure),
            })
        })?;
        let cookie = self.sealed(&session).map_err(&done)?;
        Ok(done(redirect(&format!("{}{}", self.origin, login.target)).header("set-cookie", cookie)))
    }

    fn logout(&self, request: &Request) -> Response {
        let after = self.post_logout_redirect_uri.clone();
        let target = match self.provider.endpoints().ok().and_then(|endpoints| endpoints.end_session_endpoint) {
            Some(endpoint) => {
                let mut pairs = vec![("client_id", self.provider.client_id.as_str())];
                pairs.extend(after.as_deref().map(|uri| ("post_logout_redirect_uri", uri)));
                let separator = if endpoint.contains('?') { '&' } else { '?' };
                format!("{endpoint}{separator}{}", forms::encode(&pairs))
            }
            None => after.unwrap_or_else(|| format!("{}/", self.origin)),
        };
        // A page that prefetches the link, or an image, ends no session of somebody else's:
        // browsers say what they want.
        let is_navigation = request.head().header("sec-fetch-dest").is_none_or(|wanted| wanted == b"document");
        if !is_navigation {
            return refusal(403, "a session ends by a visit to this page");
        }
        redirect(&target).header("set-cookie", self.cookie(&self.cookie_name, "", 0))
    }

    /// The session, refreshed if need be; `None` if there has to be a new login.
    fn live(&self, request: &mut Request, session: Session) -> Result<Option<Session>, Response> {
        let now = clock::wall();
        if session.is_fresh(now, self.lifetime) {
            return Ok(Some(session));
        }
        if !session.is_alive(now, self.lifetime) {
            return Ok(None);
        }
        let Some(token) = session.refresh_token.clone() else { return Ok(None) };
        // A refresh token may be good for one use only, and a page asks for many things at once.
        let id = Sha256::digest(&token);
        let (turn, outcome) = ([b"refresh ", &id[..]].concat(), [b"refreshed ", &id[..]].concat());
        if let Some(text) = kv::get(&outcome).ok().flatten() {
            let Some(fresh) = self.seal.open::<Session>("session", &text) else { return Ok(None) };
            // The response with the cookie may have been lost: a browser leaves pages that still
            // load.
            request.set_context_bytes(self.sealed(&fresh)?);
            return Ok(Some(fresh));
        }
        if kv::add(&turn, 1, Some(GRACE)).is_ok_and(|asked| asked > 1) {
            if now.as_secs() < session.ends.saturating_add(GRACE.as_secs()) {
                return Ok(Some(session));
            }
            if is_for_a_page(request) {
                return Ok(None);
            }
            // A script could not follow to a login, and there is a session in a moment.
            return Err(refusal(503, "the session is being refreshed").header("retry-after", "1"));
        }
        match self.refreshed(&session, &token, now.as_secs()) {
            Ok(session) => {
                let text = self.seal.seal("session", &session);
                if let Err(error) = kv::set(&outcome, &text, Some(GRACE)) {
                    warn!("cannot tell other requests of a refreshed session: {error}");
                }
                request.set_context_bytes(self.sealed(&session)?);
                Ok(Some(session))
            }
            Err(Failure::Refused(reason) | Failure::NotAllowed(reason)) => {
                info!("a session ends: {reason}");
                // For others with this cookie as well, at once. Without it they find out by
                // themselves.
                let _ = kv::set(&outcome, "", Some(GRACE));
                Ok(None)
            }
            Err(failure) => {
                // Another request may try.
                let _ = kv::delete(&turn);
                Err(unavailable(failure))
            }
        }
    }

    fn refreshed(&self, session: &Session, token: &str, now: u64) -> Result<Session, Failure> {
        let tokens = self.provider.refresh(token)?;
        let mut fresh = match tokens.id_token.as_deref() {
            Some(text) => {
                let claims = self.provider.identity(text, None)?;
                // OpenID Connect Core 1.0, section 12.2.
                if claims.get("sub").and_then(|subject| subject.as_str()) != Some(&session.subject) {
                    return Err(Failure::Refused("the refreshed ID token is of somebody else".into()));
                }
                self.session(&tokens, &claims, now)?
            }
            None => Session {
                ends: now.saturating_add(tokens.expires_in.unwrap_or(300)),
                access_token: self.access_token(&tokens)?,
                refresh_token: tokens.refresh_token.clone(),
                ..session.clone()
            },
        };
        fresh.logged_in = session.logged_in;
        fresh.refresh_token = fresh.refresh_token.or_else(|| Some(token.to_owned()));
        Ok(fresh)
    }

    fn session(&self, tokens: &Tokens, claims: &Claims, now: u64) -> Result<Session, Failure> {
        if !self.require.iter().all(|(name, values)| holds_any(claim(claims, name), values)) {
            return Err(Failure::NotAllowed("a claim in `require` has another value".into()));
        }
        let value = |wanted: &String| claim(claims, wanted).and_then(text_of);
        let headers = self.headers.iter().filter_map(|(name, wanted)| Some((name.to_string(), value(wanted)?)));
        let subject = claims.get("sub").and_then(|subject| subject.as_str());
        Ok(Session {
            headers: headers.collect(),
            subject: subject.ok_or(Failure::Refused("the ID token: `sub` is no text".into()))?.into(),
            logged_in: now,
            ends: match tokens.expires_in {
                Some(seconds) => now.saturating_add(seconds),
                None => claims.get("exp").and_then(|end| end.as_f64()).unwrap_or(0.0) as u64,
            },
            refresh_token: tokens.refresh_token.clone(),
            access_token: self.access_token(tokens)?,
        })
    }

    /// The access token, if the upstream gets it.
    fn access_token(&self, tokens: &Tokens) -> Result<Option<String>, Failure> {
        if !self.forward_access_token {
            return Ok(None);
        }
        if !tokens.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Unavailable("its access token is no token".into()));
        }
        Ok(Some(tokens.access_token.clone()))
    }

    /// The session as a cookie.
    fn sealed(&self, session: &Session) -> Result<String, Response> {
        let text = self.seal.seal("session", session);
        if text.len() > cookies::LONGEST {
            error!("a session of {} bytes is too long for a cookie: leave out claims or tokens", text.len());
            return Err(refusal(500, "the session is too long"));
        }
        Ok(self.cookie(&self.cookie_name, &text, self.lifetime.as_secs()))
    }

    fn cookie(&self, name: &str, value: &str, seconds: u64) -> String {
        let secure = if self.origin.starts_with("https:") { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    /// Each login has a cookie of its own, so that two tabs do not disturb each other.
    fn login_cookie(&self, state: &str) -> String {
        let state: String = state.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        format!("{}{}{state}", self.cookie_name, cookies::LOGIN)
    }
}

/// Whether a browser wants to show the answer, and so follows to a login.
fn is_for_a_page(request: &Request) -> bool {
    let head = request.head();
    let accepts = head.header("accept").unwrap_or_default();
    matches!(head.method(), "GET" | "HEAD")
        && accepts.split(|&byte| byte == b',').any(|each| each.trim_ascii().starts_with(b"text/html"))
}

/// Origin and path of a URL.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let at = url.len() - rest.len() + rest.find('/')?;
    let is_plain = !rest.starts_with('/') && !url.contains(['?', '#', '@', ' ']);
    is_plain.then(|| url.split_at(at))
}

fn redirect(target: &str) -> Response {
    Response::new(302).header("location", target).header("cache-control", "no-store")
}

fn unavailable(failure: Failure) -> Response {
    let (Failure::Refused(reason) | Failure::NotAllowed(reason) | Failure::Unavailable(reason)) = failure;
    error!("issuer: {reason}");
    refusal(503, "the provider cannot be asked").header("retry-after", "1")
}

fn refusal(status: u16, reason: &str) -> Response {
    Response::new(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .body(json::Object::new().string("error", reason).into_string())
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
