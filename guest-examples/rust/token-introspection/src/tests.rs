use sentinel_sdk::http;
use sentinel_sdk::testing::{Call, Harness};

use super::*;

fn config() -> Config {
    Config {
        endpoint: "http://auth/".into(),
        authorization: None,
        required_scopes: Vec::new(),
        audiences: Vec::new(),
        issuers: Vec::new(),
        cache: 60,
        refused_cache: 5,
        principal_header: default_principal_header(),
    }
}

fn harness(answer: Option<&'static str>) -> Harness<TokenIntrospection> {
    configured(config(), answer)
}

fn configured(config: Config, answer: Option<&'static str>) -> Harness<TokenIntrospection> {
    let mut harness = Harness::configure(config).unwrap();
    if let Some(body) = answer {
        harness.http_service(move |_| Ok(http::Response::new(200, &[], body)));
    }
    harness
}

fn status(harness: &mut Harness<TokenIntrospection>, token: &str) -> u16 {
    let action = harness.on_request("GET", "/", &[("authorization", &format!("Bearer {token}"))]);
    action.response.map_or(200, |response| response.status())
}

/// How often the server was asked since the last time.
fn asked(harness: &mut Harness<TokenIntrospection>) -> usize {
    harness.calls().iter().filter(|call| matches!(call, Call::HttpSend(_))).count()
}

#[test]
fn the_upstream_gets_the_principal() {
    let mut harness = harness(Some(r#"{"active":true,"sub":"ann"}"#));
    let action = harness.on_request("GET", "/", &[("authorization", "Bearer a+b")]);
    assert_eq!(action.header("x-principal"), Some(&b"ann"[..]));
    let calls = harness.calls();
    let sent = calls.iter().find_map(|call| if let Call::HttpSend(request) = call { Some(request) } else { None });
    assert_eq!(sent.unwrap().content(), b"token=a%2Bb");
}

#[test]
fn the_server_is_asked_once() {
    let mut harness = harness(Some(r#"{"active":true,"sub":"ann"}"#));
    assert_eq!(["once", "once", "twice"].map(|token| status(&mut harness, token)), [200; 3]);
    assert_eq!(asked(&mut harness), 2);
}

#[test]
fn it_is_asked_again_when_the_cache_ends() {
    let mut harness = harness(Some(r#"{"active":true,"sub":"ann"}"#));
    for (seconds, times) in [(0, 1), (59, 0), (1, 1)] {
        harness.advance_clock(Duration::from_secs(seconds));
        assert_eq!((status(&mut harness, "token"), asked(&mut harness)), (200, times));
    }
}

#[test]
fn refusals_are_remembered_too() {
    let mut harness = harness(Some(r#"{"active":false}"#));
    assert_eq!(["bad", "bad"].map(|token| status(&mut harness, token)), [401; 2]);
    assert_eq!(asked(&mut harness), 1);
}

#[test]
fn failures_are_not() {
    let mut harness = harness(None);
    assert_eq!(status(&mut harness, "token"), 503);
    harness.http_service(|_| Ok(http::Response::new(200, &[], r#"{"active":true,"sub":"ann"}"#)));
    assert_eq!((status(&mut harness, "token"), asked(&mut harness)), (200, 2));
}

#[test]
fn nothing_is_remembered_beyond_the_tokens_end() {
    let mut harness = harness(Some(r#"{"active":true,"sub":"ann","exp":1}"#));
    assert_eq!(["old", "old"].map(|token| status(&mut harness, token)), [200; 2]);
    assert_eq!(asked(&mut harness), 2);
}

#[test]
fn the_token_itself_is_not_stored() {
    let mut harness = harness(Some(r#"{"active":true,"sub":"ann"}"#));
    assert_eq!(status(&mut harness, "secret"), 200);
    let keys = [&b"secret"[..], &Sha256::digest("http://auth/\0secret")];
    let found = keys.map(|key| kv::get(key).unwrap().map(|value| String::from_utf8(value).unwrap()));
    assert!(matches!(&found, [None, Some(value)] if value.contains("ann") && !value.contains("secret")), "{found:?}");
}

#[test]
fn what_another_server_said_is_not_asked_for() {
    let mut first = harness(Some(r#"{"active":true,"sub":"ann"}"#));
    assert_eq!(status(&mut first, "token"), 200);
    let kept = kv::get(Sha256::digest("http://auth/\0token")).unwrap().unwrap();
    let mut second = configured(Config { endpoint: "http://other/".into(), ..config() }, Some(r#"{"active":false}"#));
    kv::set(Sha256::digest("http://auth/\0token"), kept, None).unwrap();
    assert_eq!(status(&mut second, "token"), 401);
}

#[test]
fn what_an_older_guest_remembered_is_asked_for_again() {
    let mut harness = harness(Some(r#"{"active":true,"sub":"ann"}"#));
    kv::set(Sha256::digest("http://auth/\0token"), "+root", None).unwrap();
    let action = harness.on_request("GET", "/", &[("authorization", "Bearer token")]);
    assert_eq!(action.header("x-principal"), Some(&b"ann"[..]));
}

/// Other places of a chain may demand something else of the same token.
#[test]
fn what_is_demanded_holds_for_remembered_tokens() {
    let mut harness = configured(
        Config { required_scopes: vec!["write".into()], ..config() },
        Some(r#"{"active":true,"sub":"ann","scope":"read"}"#),
    );
    assert_eq!(["token", "token"].map(|token| status(&mut harness, token)), [403; 2]);
    assert_eq!(asked(&mut harness), 1);
}
