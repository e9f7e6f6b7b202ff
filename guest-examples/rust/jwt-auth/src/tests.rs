use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use jose::base64ct::{Base64, Base64UrlUnpadded, Encoding};
use sentinel_sdk::testing::{Call, Harness, RequestAction};
use sentinel_sdk::{http, kv};
use serde_json::{json, Value};

use super::*;

const URI: &str = "https://issuer.test/keys";
/// What the stand-in's clock says.
const NOW: u64 = 1_767_225_600;

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn jwk(seed: u8, kid: &str) -> Value {
    let x = Base64UrlUnpadded::encode_string(signing_key(seed).verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid})
}

fn token(seed: u8, kid: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": "EdDSA"});
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = signing_key(seed).sign(signed.as_bytes());
    format!("{signed}.{}", Base64UrlUnpadded::encode_string(&signature.to_bytes()))
}

fn ann() -> Value {
    json!({"sub": "ann", "exp": NOW + 1_000_000})
}

fn configured(config: Value) -> Harness<JwtAuth> {
    Harness::configure(serde_json::from_value(config).unwrap()).unwrap()
}

fn error_of(config: Value) -> String {
    match Harness::<JwtAuth>::configure(serde_json::from_value(config).unwrap()) {
        Ok(_) => panic!("it is accepted"),
        Err(error) => error,
    }
}

fn with_keys(mut config: Value) -> Harness<JwtAuth> {
    config["jwks"] = json!({"keys": [jwk(1, "a")]}).to_string().into();
    configured(config)
}

fn ask(harness: &mut Harness<JwtAuth>, token: &str) -> RequestAction {
    harness.on_request("GET", "/", &[("authorization", &format!("Bearer {token}"))])
}

fn status(action: &RequestAction) -> u16 {
    action.response.as_ref().map_or(200, sentinel_sdk::Response::status)
}

/// An issuer whose keys change when the test says so, and how often it was asked.
struct Issuer {
    keys: Rc<RefCell<Result<Vec<Value>, http::Error>>>,
    asked: Rc<Cell<usize>>,
}

impl Issuer {
    fn serve(harness: &mut Harness<JwtAuth>, keys: Vec<Value>) -> Self {
        let issuer = Self { keys: Rc::new(RefCell::new(Ok(keys))), asked: Rc::default() };
        let (keys, asked) = (issuer.keys.clone(), issuer.asked.clone());
        harness.http_service(move |request| {
            assert_eq!((request.method(), request.url()), ("GET", URI));
            asked.set(asked.get() + 1);
            let keys = keys.borrow().clone()?;
            Ok(http::Response::new(200, &[], json!({"keys": keys}).to_string()))
        });
        issuer
    }

    fn has(&self, keys: Vec<Value>) {
        *self.keys.borrow_mut() = Ok(keys);
    }

    fn fails(&self) {
        *self.keys.borrow_mut() = Err(http::Error::Timeout);
    }
}

fn with_issuer(keys: Vec<Value>) -> (Harness<JwtAuth>, Issuer) {
    let mut harness = configured(json!({"jwks_uri": URI}));
    let issuer = Issuer::serve(&mut harness, keys);
    (harness, issuer)
}

#[test]
fn claims_become_headers_and_what_the_client_says_does_not_count() {
    let mut harness = with_keys(json!({"claim_to_headers": {"X-Roles": "realm.roles", "x-tenant": "tenant"}}));
    let claims = json!({"sub": "ann", "exp": NOW + 10, "realm": {"roles": ["a", "b"]}});
    let sent = format!("Bearer {}", token(1, Some("a"), &claims));
    let headers = [("authorization", &sent[..]), ("x-principal", "root"), ("x-tenant", "evil"), ("x-other", "1")];
    let action = harness.on_request("GET", "/", &headers);
    assert_eq!(status(&action), 200);
    let header = |name| action.header(name).map(|value| String::from_utf8_lossy(value).into_owned());
    assert_eq!(header("x-principal").as_deref(), Some("ann"));
    assert_eq!(header("x-roles").as_deref(), Some("a,b"));
    assert_eq!(header("x-tenant"), None);
    assert_eq!(header("x-other").as_deref(), Some("1"));
    assert_eq!(header("authorization"), Some(sent));
}

#[test]
fn what_is_optional_still_cannot_be_forged() {
    let mut harness = with_keys(json!({"optional": true}));
    let action = harness.on_request("GET", "/", &[("x-principal", "root")]);
    assert_eq!((status(&action), action.header("x-principal")), (200, None));
    assert_eq!(status(&ask(&mut harness, "rubbish")), 401);
}

#[test]
fn a_token_is_found_in_each_place_and_only_once() {
    let mut harness = with_keys(json!({"cookie": "session", "query": "access_token", "forward": false}));
    let text = token(1, None, &ann());
    let (bearer, cookie) = (format!("bEARER  {text}"), format!("a=1; session={text}; b=2"));
    let target = format!("/x?a=1&access_token={text}&b=2");

    let action = harness.on_request("GET", "/x?a=1", &[("authorization", &bearer), ("cookie", "a=1")]);
    assert_eq!((status(&action), action.header("authorization"), action.edits.query.as_deref()), (200, None, None));
    let action = harness.on_request("GET", "/x?a=1", &[("cookie", &cookie)]);
    assert_eq!((status(&action), action.header("cookie")), (200, Some(&b"a=1; b=2"[..])));
    let action = harness.on_request("GET", &target, &[]);
    assert_eq!((status(&action), action.edits.query.as_deref()), (200, Some("a=1&b=2")));

    for (target, headers) in [
        ("/x", vec![("authorization", &bearer[..]), ("authorization", &bearer)]),
        ("/x", vec![("authorization", &bearer), ("authorization", "Basic YTpi")]),
        ("/x", vec![("authorization", &bearer), ("cookie", &cookie)]),
        ("/x", vec![("cookie", &cookie), ("cookie", &cookie)]),
        (&target, vec![("authorization", &bearer)]),
        ("/x?access_token=a&access_token=b", vec![]),
    ] {
        assert_eq!(status(&harness.on_request("GET", target, &headers)), 400, "{target} {headers:?}");
    }
}

#[test]
fn other_places_are_not_looked_at_unless_configured() {
    let mut harness = with_keys(json!({}));
    let text = token(1, None, &ann());
    assert_eq!(status(&harness.on_request("GET", &format!("/?access_token={text}"), &[])), 401);
    assert_eq!(status(&harness.on_request("GET", "/", &[("cookie", &format!("session={text}"))])), 401);
    assert_eq!(status(&harness.on_request("GET", "/", &[("authorization", &text)])), 401);
}

#[test]
fn the_answer_says_what_is_wrong_and_nothing_of_the_token() {
    let mut harness = with_keys(json!({"issuers": ["i"], "require": {"scope": ["write"]}}));
    let now = NOW as i64;
    for (claims, expected, reason) in [
        (json!({"exp": now + 1}), 401, "the token is of another issuer"),
        (json!({"iss": "i"}), 401, "the token lacks a claim"),
        (json!({"iss": "i", "exp": now - 60}), 401, "the token has expired"),
        (json!({"iss": "i", "exp": now - 59}), 403, "the token does not permit this"),
        (json!({"iss": "i", "exp": now, "scope": "write more"}), 403, "the token does not permit this"),
        (json!({"iss": "i", "exp": now, "scope": ["read", "write"]}), 200, ""),
        (json!({"iss": "i", "exp": now, "scope": "write"}), 200, ""),
    ] {
        let action = ask(&mut harness, &token(1, None, &claims));
        let body = action.response.as_ref().map(|response| String::from_utf8_lossy(response.content()).into_owned());
        assert_eq!((status(&action), body.unwrap_or_default().contains(reason)), (expected, true), "{claims}");
    }
    let missing = harness.on_request("GET", "/", &[]).response.unwrap();
    assert_eq!(missing.get_header("www-authenticate"), Some(&b"Bearer realm=\"sentinel\""[..]));
}

#[test]
fn the_issuer_is_asked_once_until_its_keys_are_old() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    for _ in 0..3 {
        assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
    }
    assert_eq!(issuer.asked.get(), 1);
    harness.advance_clock(Duration::from_secs(299));
    assert_eq!((status(&ask(&mut harness, &token(1, Some("a"), &ann()))), issuer.asked.get()), (200, 1));
    harness.advance_clock(Duration::from_secs(1));
    assert_eq!((status(&ask(&mut harness, &token(1, Some("a"), &ann()))), issuer.asked.get()), (200, 2));
}

#[test]
fn a_key_that_the_issuer_drops_is_no_longer_accepted() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
    issuer.has(vec![jwk(2, "b")]);
    harness.advance_clock(Duration::from_secs(300));
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 401);
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it_but_not_too_often() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
    issuer.has(vec![jwk(1, "a"), jwk(2, "b")]);
    assert_eq!((status(&ask(&mut harness, &token(2, Some("b"), &ann()))), issuer.asked.get()), (200, 2));
    // Tokens that anybody can make up.
    for number in 0..20 {
        assert_eq!(status(&ask(&mut harness, &token(3, Some(&format!("k{number}")), &ann()))), 401);
    }
    assert_eq!(issuer.asked.get(), 2);
    harness.advance_clock(Duration::from_secs(10));
    assert_eq!((status(&ask(&mut harness, &token(3, Some("c"), &ann()))), issuer.asked.get()), (401, 3));
}

#[test]
fn a_token_that_was_right_is_held_to_the_clock_and_to_the_keys() {
    let mut harness = with_keys(json!({}));
    let text = token(1, None, &json!({"exp": NOW + 10}));
    assert_eq!([0; 3].map(|_| status(&ask(&mut harness, &text))), [200; 3]);
    // Another signature of the same is another token.
    let (signed, _) = text.rsplit_once('.').unwrap();
    assert_eq!(status(&ask(&mut harness, &format!("{signed}.{}", Base64UrlUnpadded::encode_string(&[0; 64])))), 401);
    harness.advance_clock(Duration::from_secs(70));
    assert_eq!(status(&ask(&mut harness, &text)), 401);

    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a"), jwk(2, "b")]);
    let text = token(1, Some("a"), &ann());
    assert_eq!([0; 3].map(|_| status(&ask(&mut harness, &text))), [200; 3]);
    issuer.has(vec![jwk(2, "b"), jwk(3, "c")]);
    // Fetched anew because of another token.
    assert_eq!(status(&ask(&mut harness, &token(3, Some("c"), &ann()))), 200);
    assert_eq!(status(&ask(&mut harness, &text)), 401);
}

#[test]
fn more_tokens_than_are_remembered_pass() {
    let mut harness = with_keys(json!({}));
    let texts: Vec<String> = (0..130).map(|number| token(1, None, &json!({"sub": number, "exp": NOW}))).collect();
    for text in texts.iter().chain(&texts[..5]) {
        assert_eq!(status(&ask(&mut harness, text)), 200);
    }
}

#[test]
fn a_bad_signature_makes_nobody_ask() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    assert_eq!(status(&ask(&mut harness, &token(2, Some("a"), &ann()))), 401);
    assert_eq!(status(&ask(&mut harness, &token(2, None, &ann()))), 401);
    assert_eq!(issuer.asked.get(), 1);
}

#[test]
fn old_keys_serve_on_while_the_issuer_fails() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
    issuer.fails();
    harness.advance_clock(Duration::from_secs(300));
    for _ in 0..5 {
        assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
    }
    assert_eq!(issuer.asked.get(), 2);
    harness.advance_clock(Duration::from_secs(3600));
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 503);
}

#[test]
fn an_issuer_that_fails_from_the_start_is_asked_once_a_second() {
    let (mut harness, issuer) = with_issuer(vec![]);
    for _ in 0..3 {
        assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 503);
    }
    assert_eq!(issuer.asked.get(), 1);
    assert!(harness.logs().iter().any(|(_, line)| line.contains("no key in the answer can be used")));
    issuer.has(vec![jwk(1, "a")]);
    harness.advance_clock(Duration::from_secs(1));
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
}

#[test]
fn without_kv_each_instance_has_keys_of_its_own() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    harness.fail_kv(Some(kv::Error::Unavailable));
    for _ in 0..3 {
        assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
    }
    assert_eq!(status(&ask(&mut harness, &token(2, Some("b"), &ann()))), 401);
    assert_eq!(issuer.asked.get(), 1);
}

#[test]
fn without_kv_old_keys_serve_on_too() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    harness.fail_kv(Some(kv::Error::Unavailable));
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 200);
    issuer.fails();
    harness.advance_clock(Duration::from_secs(300));
    assert_eq!((status(&ask(&mut harness, &token(1, Some("a"), &ann()))), issuer.asked.get()), (200, 2));
    harness.advance_clock(Duration::from_secs(3600));
    assert_eq!(status(&ask(&mut harness, &token(1, Some("a"), &ann()))), 503);
}

#[test]
fn a_secret_is_never_looked_for_at_the_issuer() {
    let (mut harness, issuer) = with_issuer(vec![jwk(1, "a")]);
    let header = Base64UrlUnpadded::encode_string(br#"{"alg":"HS256","kid":"a"}"#);
    assert_eq!(status(&ask(&mut harness, &format!("{header}.e30.AAAA"))), 401);
    assert_eq!(issuer.asked.get(), 0);
}

#[test]
fn an_algorithm_that_is_not_listed_costs_nothing() {
    let mut harness = configured(json!({"jwks_uri": URI, "algorithms": ["RS256"]}));
    let issuer = Issuer::serve(&mut harness, vec![jwk(1, "a")]);
    assert_eq!((status(&ask(&mut harness, &token(1, Some("a"), &ann()))), issuer.asked.get()), (401, 0));
}

#[test]
fn tokens_are_not_stored() {
    let (mut harness, _) = with_issuer(vec![jwk(1, "a")]);
    let text = token(1, Some("a"), &ann());
    ask(&mut harness, &text);
    for call in harness.calls() {
        if let Call::KvSet { value, .. } = call {
            assert!(!value.windows(text.len()).any(|part| part == text.as_bytes()));
        }
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    for (config, expected) in [
        (json!({}), "one of jwks_uri, jwks and keys"),
        (json!({"jwks": "{"}), "jwks: it is not a JSON Web Key Set"),
        (json!({"jwks": "{\"keys\":[{\"kty\":\"oct\"}]}"}), "jwks: keys[0]: a secret needs `alg`"),
        (json!({"jwks_uri": URI, "algorithms": ["none"]}), "algorithms[0]"),
        (json!({"jwks_uri": URI, "algorithms": ["RS256", "HS265"]}), "algorithms[1]"),
        (json!({"jwks_uri": URI, "realm": "a\"b"}), "realm"),
        (json!({"jwks_uri": URI, "header": "x-principal"}), "header: x-principal"),
        (json!({"jwks_uri": URI, "claim_to_headers": {"X-Principal": "a"}}), "claim_to_headers"),
        (json!({"keys": [{"secret": "short", "algorithm": "HS256"}]}), "keys[0]: a secret for this algorithm"),
        (json!({"keys": [{"secret": "x".repeat(32)}]}), "keys[0]: algorithm: a secret needs one"),
        (json!({"keys": [{"secret": "x".repeat(32), "algorithm": "RS256"}]}), "keys[0]: a secret is for HS256"),
        (
            json!({"keys": [{"secret": "x".repeat(32), "secret_base64": "eA==", "algorithm": "HS256"}]}),
            "keys[0]: one of",
        ),
        (json!({"keys": [{}]}), "keys[0]: one of public_key"),
        (json!({"keys": [{"public_key": "-----BEGIN PUBLIC KEY-----"}]}), "keys[0]: public_key"),
    ] {
        assert!(error_of(config.clone()).contains(expected), "{config}: {}", error_of(config.clone()));
    }
}

#[test]
fn a_pem_is_not_taken_for_a_secret() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let error = error_of(json!({"keys": [{"public_key": pem, "algorithm": "HS256"}]}));
    assert!(error.contains("not one for this kind of key"), "{error}");
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIBfzCCASWgAwIBAgIUJ\n-----END CERTIFICATE-----\n";
    for text in [pem, certificate] {
        assert!(
            error_of(json!({"keys": [{"secret": text, "algorithm": "HS256"}]})).contains("secret: it is a public key")
        );
        let written = Base64::encode_string(text.as_bytes());
        let error = error_of(json!({"keys": [{"secret_base64": written, "algorithm": "HS256"}]}));
        assert!(error.contains("secret_base64: it is a public key"), "{error}");
    }
}
