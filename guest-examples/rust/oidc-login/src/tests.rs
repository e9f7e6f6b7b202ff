use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use sentinel_sdk::http;
use sentinel_sdk::testing::{Harness, RequestAction};
use serde_json::{json, Value};

use super::*;

const NOW: u64 = 1_767_225_600;
const SECRET: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A provider that remembers what it was asked, and answers as the test says.
#[derive(Clone)]
struct Fake(Rc<RefCell<State>>);

struct State {
    asked: Vec<http::Request>,
    /// Claims of the next ID tokens, on top of those that are right.
    claims: Value,
    tokens: Value,
    nonce: String,
    status: u16,
    issuer: String,
    key: u8,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

impl Fake {
    fn serve(harness: &mut Harness<OidcLogin>) -> Self {
        let fake = Self(Rc::new(RefCell::new(State {
            asked: Vec::new(),
            claims: json!({}),
            tokens: json!({"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 300}),
            nonce: String::new(),
            status: 200,
            issuer: "https://login.test".into(),
            key: 1,
        })));
        let service = fake.clone();
        harness.http_service(move |request| Ok(service.answer(request)));
        fake
    }

    fn answer(&self, request: &http::Request) -> http::Response {
        let mut state = self.0.borrow_mut();
        let body = match request.url() {
            "https://login.test/.well-known/openid-configuration" => json!({
                "issuer": state.issuer,
                "authorization_endpoint": "https://login.test/authorize?x=1",
                "token_endpoint": "https://login.test/token",
                "jwks_uri": "https://login.test/keys",
                "end_session_endpoint": "https://login.test/end",
            }),
            "https://login.test/keys" => {
                let x = encode(key(1).verifying_key().as_bytes());
                json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]})
            }
            "https://login.test/token" => {
                state.asked.push(request.clone());
                if state.status != 200 {
                    return http::Response::new(state.status, &[], "{\"error\":\"invalid_grant\"}");
                }
                let mut tokens = state.tokens.clone();
                if tokens.get("id_token").is_none() {
                    tokens["id_token"] = state.id_token().into();
                }
                tokens
            }
            url => panic!("nobody asks {url}"),
        };
        http::Response::new(200, &[], body.to_string())
    }
}

impl State {
    fn id_token(&self) -> String {
        let mut claims = json!({
            "iss": "https://login.test", "aud": "gw", "sub": "ann", "exp": NOW + 1_000_000, "iat": NOW, "nonce": self.nonce,
            "groups": ["a", "b"],
        });
        for (name, value) in self.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let signed = format!("{}.{}", encode(br#"{"alg":"EdDSA"}"#), encode(claims.to_string().as_bytes()));
        let signature = key(self.key).sign(signed.as_bytes());
        format!("{signed}.{}", encode(&signature.to_bytes()))
    }
}

fn config(more: Value) -> Config {
    let mut config = json!({
        "issuer": "https://login.test", "client_id": "gw", "client_secret": "s:&", "redirect_uri": "https://shop.test/callback",
        "cookie_secret": SECRET, "claim_to_headers": {"x-groups": "groups"},
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

fn start(more: Value) -> (Harness<OidcLogin>, Fake) {
    let mut harness = Harness::configure(config(more)).unwrap();
    let fake = Fake::serve(&mut harness);
    (harness, fake)
}

fn page(harness: &mut Harness<OidcLogin>, target: &str, cookie: &str) -> RequestAction {
    let mut headers = vec![("accept", "text/html,application/xhtml+xml"), ("x-principal", "root")];
    if !cookie.is_empty() {
        headers.push(("cookie", cookie));
    }
    harness.on_request("GET", target, &headers)
}

fn text(response: &Response, name: &str) -> String {
    response.get_header(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// The pairs `NAME=VALUE` of the cookies that a response sets.
fn cookies_of(response: &Response) -> Vec<String> {
    let fields = response.headers().filter(|(name, _)| *name == "set-cookie");
    let pair = |value: &[u8]| String::from_utf8_lossy(value).split(';').next().unwrap().to_owned();
    fields.map(|(_, value)| pair(value)).collect()
}

/// Begin a login: its cookie, and its state; the provider learns of the nonce.
fn begin(harness: &mut Harness<OidcLogin>, fake: &Fake, target: &str) -> (String, String) {
    let response = page(harness, target, "").response.expect("nobody has logged in");
    assert_eq!(response.status(), 302);
    let location = text(&response, "location");
    let (_, query) = location.split_once('?').unwrap();
    fake.0.borrow_mut().nonce = forms::parameter(query, "nonce").unwrap();
    (cookies_of(&response).remove(0), forms::parameter(query, "state").unwrap())
}

fn log_in(harness: &mut Harness<OidcLogin>, fake: &Fake) -> String {
    let (cookie, state) = begin(harness, fake, "/orders?page=2");
    let response = page(harness, &format!("/callback?code=c-1&state={state}"), &cookie).response.unwrap();
    assert_eq!((response.status(), text(&response, "location").as_str()), (302, "https://shop.test/orders?page=2"));
    let [session, ended] = cookies_of(&response).try_into().expect("two cookies");
    assert!(session.starts_with("sentinel_session=") && ended.ends_with('='));
    session
}

#[test]
fn a_browser_is_sent_to_the_provider() {
    let (mut harness, _) = start(json!({"scopes": ["email"]}));
    let response = page(&mut harness, "/orders", "").response.unwrap();
    let location = text(&response, "location");
    let query = location.strip_prefix("https://login.test/authorize?x=1&").unwrap();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "gw"),
        ("redirect_uri", "https://shop.test/callback"),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(forms::parameter(query, name).as_deref(), Some(value));
    }
    let cookie = text(&response, "set-cookie");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    for name in ["state", "nonce", "code_challenge"] {
        let value = forms::parameter(query, name).unwrap();
        assert!(value.len() >= 22 && !cookie.contains(&value), "{name}");
    }
}

#[test]
fn a_program_is_not_sent_anywhere() {
    let (mut harness, _) = start(json!({}));
    for (method, accept) in [("GET", "application/json"), ("GET", ""), ("POST", "text/html"), ("GET", "*/*")] {
        let response = harness.on_request(method, "/", &[("accept", accept)]).response.unwrap();
        assert_eq!(response.status(), 401, "{method} {accept}");
    }
}

#[test]
fn a_login_ends_with_a_session() {
    let (mut harness, fake) = start(json!({}));
    let session = log_in(&mut harness, &fake);
    let asked = fake.0.borrow().asked[0].clone();
    let form = String::from_utf8(asked.content().to_vec()).unwrap();
    assert_eq!(forms::parameter(&form, "grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(forms::parameter(&form, "code").as_deref(), Some("c-1"));
    assert_eq!(forms::parameter(&form, "redirect_uri").as_deref(), Some("https://shop.test/callback"));
    // `gw:s%3A%26`
    assert_eq!(asked.get_header("authorization"), Some(&b"Basic Z3c6cyUzQSUyNg=="[..]));

    // A cookie of the upstream's may begin with the same letters.
    let cookies = format!("a=1; {session}; sentinel_session_login_x=y; sentinel_sessions=3; b=2");
    let action = page(&mut harness, "/orders", &cookies);
    assert!(action.response.is_none());
    assert_eq!(action.header("x-principal"), Some(&b"ann"[..]));
    assert_eq!(action.header("x-groups"), Some(&b"a,b"[..]));
    assert_eq!(action.header("cookie"), Some(&b"a=1; sentinel_sessions=3; b=2"[..]));
    assert_eq!(action.header("authorization"), None);
    assert!(harness.on_response(200, &[]).headers.is_empty());
}

/// RFC 7636: the code is worth nothing without what the browser's cookie holds.
#[test]
fn the_verifier_fits_the_challenge() {
    let (mut harness, fake) = start(json!({}));
    let response = page(&mut harness, "/", "").response.unwrap();
    let location = text(&response, "location");
    let query = location.split_once('?').unwrap().1;
    fake.0.borrow_mut().nonce = forms::parameter(query, "nonce").unwrap();
    let state = forms::parameter(query, "state").unwrap();
    page(&mut harness, &format!("/callback?code=c&state={state}"), &cookies_of(&response)[0]);
    let form = String::from_utf8(fake.0.borrow().asked[0].content().to_vec()).unwrap();
    let verifier = forms::parameter(&form, "code_verifier").unwrap();
    assert!(verifier.len() >= 43);
    assert_eq!(forms::parameter(query, "code_challenge"), Some(encode(&Sha256::digest(verifier))));
}

#[test]
fn a_callback_of_another_browser_is_refused() {
    let (mut harness, fake) = start(json!({}));
    let (cookie, state) = begin(&mut harness, &fake, "/");
    let (other, _) = begin(&mut harness, &fake, "/");
    let session = log_in(&mut harness, &fake);
    let asked = fake.0.borrow().asked.len();
    let (name, value) = cookie.split_once('=').unwrap();
    let session_value = session.split_once('=').unwrap().1;
    for (query, cookie, expected) in [
        (format!("code=c&state={state}"), String::new(), 400),
        (format!("code=c&state={state}"), other.clone(), 400),
        (format!("code=c&state={state}"), format!("{name}={}", other.split_once('=').unwrap().1), 400),
        (format!("code=c&state={state}"), format!("{name}={session_value}"), 400),
        (format!("code=c&state={state}"), format!("{cookie}; {cookie}"), 400),
        (format!("code=c&state={state}"), format!("{name}=A{value}"), 400),
        (format!("code=c&state={state}x"), cookie.clone(), 400),
        (format!("code=c&state={state}&state={state}"), cookie.clone(), 400),
        ("code=c".into(), cookie.clone(), 400),
        ("code=c&state=".into(), cookie.clone(), 400),
        (format!("state={state}"), cookie.clone(), 403),
        (format!("error=access_denied&state={state}"), cookie.clone(), 403),
        (format!("code=c&iss=https%3A%2F%2Fevil.test&state={state}"), cookie.clone(), 400),
    ] {
        let response = page(&mut harness, &format!("/callback?{query}"), &cookie).response.unwrap();
        assert_eq!((response.status(), text(&response, "location")), (expected, String::new()), "{query} {cookie}");
    }
    assert_eq!(fake.0.borrow().asked.len(), asked);
    harness.advance_clock(Duration::from_secs(600));
    let late = page(&mut harness, &format!("/callback?code=c&state={state}"), &cookie).response.unwrap();
    assert_eq!(late.status(), 400);
}

#[test]
fn an_id_token_has_to_be_right() {
    for claims in [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"iss": "https://evil.test"}),
        json!({"aud": "other"}),
        json!({"aud": ["gw", "other"]}),
        json!({"azp": "other"}),
        json!({"aud": ["gw", "other"], "azp": "other"}),
        json!({"exp": NOW - 61}),
        json!({"exp": null}),
        json!({"iat": null}),
        json!({"sub": null}),
        json!({"sub": 7}),
    ] {
        let (mut harness, fake) = start(json!({}));
        fake.0.borrow_mut().claims = claims.clone();
        let (cookie, state) = begin(&mut harness, &fake, "/");
        let response = page(&mut harness, &format!("/callback?code=c&state={state}"), &cookie).response.unwrap();
        assert_eq!((response.status(), cookies_of(&response).len()), (403, 1), "{claims}");
    }
    let (mut harness, fake) = start(json!({}));
    fake.0.borrow_mut().key = 2;
    let (cookie, state) = begin(&mut harness, &fake, "/");
    let response = page(&mut harness, &format!("/callback?code=c&state={state}"), &cookie).response.unwrap();
    assert_eq!(response.status(), 403);
}

#[test]
fn the_browser_stays_on_this_site() {
    let (mut harness, fake) = start(json!({}));
    for target in ["//evil.test/x", "/x?next=https://evil.test", "/%0d%0aset-cookie:x"] {
        let (cookie, state) = begin(&mut harness, &fake, target);
        let response = page(&mut harness, &format!("/callback?code=c&state={state}"), &cookie).response.unwrap();
        assert_eq!(text(&response, "location"), format!("https://shop.test{target}"));
    }
}

#[test]
fn a_cookie_that_was_changed_is_none() {
    let (mut harness, fake) = start(json!({}));
    let session = log_in(&mut harness, &fake);
    let (name, value) = session.split_once('=').unwrap();
    for place in (0..value.len()).step_by(5) {
        let mut changed = value.as_bytes().to_vec();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let cookie = format!("{name}={}", String::from_utf8(changed).unwrap());
        assert_eq!(page(&mut harness, "/", &cookie).response.unwrap().status(), 302, "{place}");
    }
    for cookie in
        [format!("{name}="), format!("{name}={}", &value[1..]), format!("{session}; {session}"), format!("x{session}")]
    {
        assert_eq!(page(&mut harness, "/", &cookie).response.unwrap().status(), 302, "{cookie}");
    }
    // Another secret, and another client with the same one.
    for more in
        [json!({"cookie_secret": "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}), json!({"client_id": "other"})]
    {
        let (mut other, _) = start(more);
        assert_eq!(page(&mut other, "/", &session).response.unwrap().status(), 302);
    }
    // Another issuer, whose users have the same client: nothing of theirs opens here.
    let (mut other, _) = start(json!({"issuer": "https://other.test"}));
    assert_eq!(other.on_request("GET", "/", &[("cookie", &session)]).response.unwrap().status(), 401);
}

#[test]
fn a_session_is_refreshed_by_one_request() {
    let (mut harness, fake) = start(json!({}));
    let old = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(300));
    fake.0.borrow_mut().tokens = json!({"access_token": "at-2", "refresh_token": "rt-2", "expires_in": 300});
    let action = page(&mut harness, "/", &old);
    assert_eq!(action.header("x-principal"), Some(&b"ann"[..]));
    let answer = harness.on_response(200, &[]);
    let cookie = String::from_utf8(answer.header("set-cookie").unwrap().to_vec()).unwrap();
    let fresh = cookie.split(';').next().unwrap().to_owned();
    assert_ne!(fresh, old);
    // Requests that were on their way with the old cookie. Their responses have the new one as
    // well: the first may be lost.
    assert!(page(&mut harness, "/", &old).response.is_none());
    assert!(harness.on_response(200, &[]).header("set-cookie").is_some());
    assert!(page(&mut harness, "/", &fresh).response.is_none());
    assert_eq!(harness.on_response(200, &[]).header("set-cookie"), None);
    assert_eq!(fake.0.borrow().asked.len(), 2);
    let form = String::from_utf8(fake.0.borrow().asked[1].content().to_vec()).unwrap();
    assert_eq!(form, "grant_type=refresh_token&refresh_token=rt-1");
}

/// Requests with the same cookie once went on for a while after the provider had ended the session.
#[test]
fn a_session_that_the_provider_ends_is_over_at_once() {
    let (mut harness, fake) = start(json!({}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(300));
    fake.0.borrow_mut().status = 400;
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
    assert_eq!(fake.0.borrow().asked.len(), 2);
}

/// A script cannot follow to a login.
#[test]
fn while_an_old_session_is_refreshed_scripts_wait_and_pages_log_in() {
    let (mut harness, fake) = start(json!({}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(400));
    let id = Sha256::digest("rt-1");
    kv::add([b"refresh ", &id[..]].concat(), 1, None).unwrap();
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
    let response = harness.on_request("GET", "/", &[("cookie", &session)]).response.unwrap();
    assert_eq!((response.status(), text(&response, "retry-after").as_str()), (503, "1"));
    assert_eq!(fake.0.borrow().asked.len(), 1);
}

#[test]
fn only_those_come_in_whose_claims_are_right() {
    for (require, expected) in [
        (json!({"groups": ["b", "c"]}), 302),
        (json!({"groups": ["b"], "sub": ["ann"]}), 302),
        (json!({"groups": ["c"]}), 403),
        (json!({"groups": ["b"], "sub": ["bob"]}), 403),
        (json!({"groups": []}), 403),
        (json!({"other": ["b"]}), 403),
    ] {
        let (mut harness, fake) = start(json!({"require": require}));
        let (cookie, state) = begin(&mut harness, &fake, "/");
        let response = page(&mut harness, &format!("/callback?code=c&state={state}"), &cookie).response.unwrap();
        let cookies = if expected == 302 { 2 } else { 1 };
        assert_eq!((response.status(), cookies_of(&response).len()), (expected, cookies), "{require}");
    }
    // Whoever loses a group is out with the next refresh.
    let (mut harness, fake) = start(json!({"require": {"groups": ["a"]}}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(300));
    fake.0.borrow_mut().claims = json!({"groups": ["b"]});
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
}

#[test]
fn a_session_ends() {
    // Refused by the provider.
    let (mut harness, fake) = start(json!({}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(300));
    fake.0.borrow_mut().status = 400;
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
    // Of somebody else.
    let (mut harness, fake) = start(json!({}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(300));
    fake.0.borrow_mut().claims = json!({"sub": "eve"});
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
    // Without a refresh token.
    let (mut harness, fake) = start(json!({}));
    fake.0.borrow_mut().tokens = json!({"access_token": "at", "expires_in": 300});
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(299));
    assert!(page(&mut harness, "/", &session).response.is_none());
    harness.advance_clock(Duration::from_secs(1));
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
    // Too old, whatever the provider would say.
    let (mut harness, fake) = start(json!({"session_lifetime": 200}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(200));
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 302);
    assert_eq!(fake.0.borrow().asked.len(), 1);
}

#[test]
fn a_provider_that_fails_ends_no_session() {
    let (mut harness, fake) = start(json!({}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(300));
    fake.0.borrow_mut().status = 500;
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 503);
    fake.0.borrow_mut().status = 200;
    assert!(page(&mut harness, "/", &session).response.is_none());
}

#[test]
fn a_configuration_of_another_issuer_is_not_used() {
    let (mut harness, fake) = start(json!({}));
    fake.0.borrow_mut().issuer = "https://evil.test".into();
    assert_eq!(page(&mut harness, "/", "").response.unwrap().status(), 503);
}

#[test]
fn the_upstream_may_have_the_access_token() {
    let (mut harness, fake) = start(json!({"forward_access_token": true}));
    let session = log_in(&mut harness, &fake);
    assert_eq!(page(&mut harness, "/", &session).header("authorization"), Some(&b"Bearer at-1"[..]));
    let (mut harness, fake) = start(json!({"forward_access_token": true}));
    fake.0.borrow_mut().tokens = json!({"access_token": "a\r\nb"});
    let (cookie, state) = begin(&mut harness, &fake, "/");
    assert_eq!(page(&mut harness, &format!("/callback?code=c&state={state}"), &cookie).response.unwrap().status(), 503);
    // Nor one that comes with a refresh, without an ID token.
    let (mut harness, fake) = start(json!({"forward_access_token": true}));
    let session = log_in(&mut harness, &fake);
    harness.advance_clock(Duration::from_secs(300));
    fake.0.borrow_mut().tokens = json!({"access_token": "a\r\nb", "id_token": null});
    assert_eq!(page(&mut harness, "/", &session).response.unwrap().status(), 503);
}

#[test]
fn logging_out_ends_the_session_here_and_there() {
    let (mut harness, _) = start(json!({"post_logout_redirect_uri": "https://shop.test/bye"}));
    let response = page(&mut harness, "/logout", "").response.unwrap();
    assert_eq!(
        text(&response, "location"),
        "https://login.test/end?client_id=gw&post_logout_redirect_uri=https%3A%2F%2Fshop.test%2Fbye"
    );
    assert!(text(&response, "set-cookie").starts_with("sentinel_session=; Path=/; Max-Age=0;"));
    let image = harness.on_request("GET", "/logout", &[("sec-fetch-dest", "image")]).response.unwrap();
    assert_eq!((image.status(), text(&image, "set-cookie")), (403, String::new()));
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    for (more, expected) in [
        (json!({"cookie_secret": "c2hvcnQ="}), "cookie_secret"),
        (json!({"cookie_secret": "not base64"}), "cookie_secret"),
        (json!({"redirect_uri": "/callback"}), "redirect_uri"),
        (json!({"redirect_uri": "https://shop.test"}), "redirect_uri"),
        (json!({"redirect_uri": "https:///callback"}), "redirect_uri"),
        (json!({"redirect_uri": "https://shop.test/a?b"}), "redirect_uri"),
        (json!({"cookie_name": "a b"}), "cookie_name"),
        (json!({"cookie_name": ""}), "cookie_name"),
        (json!({"issuer": "login.test"}), "issuer"),
        (json!({"logout_path": "/callback"}), "logout_path"),
        (json!({"logout_path": "logout"}), "logout_path"),
        (json!({"claim_to_headers": {"x-principal": "a"}}), "claim_to_headers"),
    ] {
        let Err(error) = Harness::<OidcLogin>::configure(config(more)) else { panic!("{expected}") };
        assert!(error.contains(expected), "{error}");
    }
}
