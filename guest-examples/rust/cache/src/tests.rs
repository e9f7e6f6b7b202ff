use std::time::Duration;

use sentinel_sdk::testing::{Harness, RequestAction, ResponseAction};

use super::*;

/// 2026-01-01, when the harness's clock begins.
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

fn harness() -> Harness<Cache> {
    Harness::configure(Config::default()).unwrap()
}

fn asked(harness: &mut Harness<Cache>, headers: &[(&str, &str)]) -> RequestAction {
    asked_for(harness, "/a?b", headers)
}

/// Without a body.
fn asked_for(harness: &mut Harness<Cache>, target: &str, headers: &[(&str, &str)]) -> RequestAction {
    let action = harness.on_request("GET", target, headers);
    if action.edits.body != sentinel_sdk::BodyMode::Skip {
        harness.on_request_chunk(b"", true);
    }
    action
}

/// What the client gets without the upstream: status, body, age.
fn hit(action: &RequestAction) -> Option<(u16, &[u8], &str)> {
    let response = action.response.as_ref()?;
    let age = response.get_header("age").map_or("", |age| std::str::from_utf8(age).unwrap());
    Some((response.status(), response.content(), age))
}

/// A whole exchange with the upstream.
fn answered(harness: &mut Harness<Cache>, headers: &[(&str, &str)], body: &[u8]) -> ResponseAction {
    let action = harness.on_response(200, headers);
    if action.edits.body != sentinel_sdk::BodyMode::Skip {
        harness.on_response_chunk(body, false);
        harness.on_response_chunk(b"", true);
    }
    action
}

fn stores(headers: &[(&str, &str)]) -> bool {
    let mut harness = harness();
    assert!(asked(&mut harness, &[]).response.is_none());
    answered(&mut harness, headers, b"body");
    asked(&mut harness, &[]).response.is_some()
}

#[test]
fn fresh_responses_are_served_with_their_age() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    let action = answered(&mut harness, &[("cache-control", "max-age=60"), ("x-a", "b")], b"body");
    assert_eq!(action.header("cache-status"), Some(&b"sentinel; fwd=uri-miss; stored"[..]));
    harness.advance_clock(Duration::from_secs(59));
    let action = asked(&mut harness, &[]);
    assert_eq!(hit(&action), Some((200, &b"body"[..], "59")));
    let response = action.response.unwrap();
    assert_eq!(response.get_header("cache-status"), Some(&b"sentinel; hit; ttl=1"[..]));
    assert_eq!(response.get_header("x-a"), Some(&b"b"[..]));
    harness.advance_clock(Duration::from_secs(1));
    assert_eq!(hit(&asked(&mut harness, &[])), None);
}

#[test]
fn only_what_may_be_stored_is() {
    for headers in [
        &[("cache-control", "max-age=60")][..],
        &[("cache-control", "s-maxage=60, max-age=0")],
        &[("cache-control", "public, Max-Age=\"60\"")],
        &[("expires", "Thu, 01 Jan 2026 00:01:00 GMT"), ("date", DATE)],
        &[("cache-control", "max-age=60"), ("age", "59")],
        &[("cache-control", "max-age=99999999999999999999")],
    ] {
        assert!(stores(headers), "{headers:?}");
    }
    for headers in [
        &[][..],
        &[("cache-control", "no-store, max-age=60")],
        &[("cache-control", "max-age=60"), ("cache-control", "No-Store")],
        &[("cache-control", "private, max-age=60")],
        &[("cache-control", "private=\"set-cookie\", max-age=60")],
        &[("cache-control", "no-cache=\"set-cookie, x\", max-age=60")],
        &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
        &[("cache-control", "max-age=60"), ("vary", "accept, *")],
        &[("cache-control", "max-age=60"), ("age", "60")],
        &[("cache-control", "max-age=60"), ("date", "Wed, 31 Dec 2025 23:59:00 GMT")],
        &[("cache-control", "max-age=60, max-age=0")],
        &[("cache-control", "max-age=-1")],
        &[("cache-control", "max-age=1e3")],
        &[("cache-control", "x=\"max-age=60, y\"")],
        &[("cache-control", "max-age=60, s-maxage=0")],
        &[("expires", "0")],
        &[("expires", "Thu, 01 Jan 2026 00:00:00 GMT")],
        &[("content-range", "bytes 0-3/9"), ("cache-control", "max-age=60")],
        &[("content-length", "262145"), ("cache-control", "max-age=60")],
    ] {
        assert!(!stores(headers), "{headers:?}");
    }
}

#[test]
fn bodies_are_stored_in_parts_up_to_a_size() {
    for (size, expected) in [(0, true), (65_536, true), (200_000, true), (262_144, true), (262_145, false)] {
        let mut harness = harness();
        let body: Vec<u8> = (0..size).map(|at: u32| at as u8).collect();
        asked(&mut harness, &[]);
        harness.on_response(200, &[("cache-control", "max-age=60")]);
        for chunk in body.chunks(10_000) {
            assert!(harness.on_response_chunk(chunk, false).replacement.is_none());
        }
        harness.on_response_chunk(b"", true);
        let action = asked(&mut harness, &[]);
        assert_eq!(hit(&action).map(|(_, body, _)| body.to_vec()), expected.then_some(body));
    }
}

#[test]
fn a_body_that_breaks_off_is_not_stored() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    harness.on_response(200, &[("cache-control", "max-age=60")]);
    harness.on_response_chunk(b"half", false);
    assert_eq!(hit(&asked(&mut harness, &[])), None);
}

#[test]
fn responses_vary() {
    let mut harness = harness();
    let varying = [("cache-control", "max-age=60"), ("vary", "Accept-Language, accept")];
    for language in ["de", "en"] {
        asked(&mut harness, &[("accept-language", language)]);
        answered(&mut harness, &varying, language.as_bytes());
    }
    for language in ["de", "en"] {
        let action = asked(&mut harness, &[("accept-language", language), ("x-other", "1")]);
        assert_eq!(hit(&action), Some((200, language.as_bytes(), "0")));
    }
    for other in [vec![], vec![("accept-language", "fr")], vec![("accept-language", "de"), ("accept", "*/*")]] {
        assert_eq!(hit(&asked(&mut harness, &other)), None);
    }
}

#[test]
fn stale_responses_are_validated() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    answered(&mut harness, &[("cache-control", "max-age=60"), ("etag", "\"1\""), ("last-modified", DATE)], b"body");
    harness.advance_clock(Duration::from_secs(60));
    let action = asked(&mut harness, &[("if-none-match", "\"0\"")]);
    assert!(action.response.is_none());
    assert_eq!(action.header("if-none-match"), Some(&b"\"1\""[..]));
    assert_eq!(action.header("if-modified-since"), Some(DATE.as_bytes()));
    let answer = harness.on_response(304, &[("cache-control", "max-age=30"), ("etag", "\"1\"")]).response.unwrap();
    assert_eq!((answer.status(), answer.content()), (200, &b"body"[..]));
    // Fresh again, and by what the 304 said.
    harness.advance_clock(Duration::from_secs(29));
    assert_eq!(hit(&asked(&mut harness, &[])), Some((200, &b"body"[..], "29")));
    harness.advance_clock(Duration::from_secs(1));
    assert_eq!(hit(&asked(&mut harness, &[])), None);
    // The client's own condition is about the answer.
    asked(&mut harness, &[("if-none-match", "\"0\", W/\"1\"")]);
    assert_eq!(harness.on_response(304, &[]).response.unwrap().status(), 304);
    // A new response takes the old one's place.
    harness.advance_clock(Duration::from_secs(60));
    asked(&mut harness, &[]);
    answered(&mut harness, &[("cache-control", "max-age=60"), ("etag", "\"2\"")], b"new");
    assert_eq!(hit(&asked(&mut harness, &[])), Some((200, &b"new"[..], "0")));
}

#[test]
fn clients_are_told_that_they_have_it() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    answered(&mut harness, &[("cache-control", "max-age=60"), ("etag", "\"1\""), ("last-modified", DATE)], b"body");
    for (name, value, expected) in [
        ("if-none-match", "\"1\"", 304),
        ("if-none-match", "W/\"1\"", 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"0\",  \"1\"", 304),
        ("if-none-match", "\"11\"", 200),
        ("if-none-match", "1", 200),
        ("if-modified-since", DATE, 304),
        ("if-modified-since", "Wed, 31 Dec 2025 23:59:59 GMT", 200),
        ("if-modified-since", "yesterday", 200),
    ] {
        let action = asked(&mut harness, &[(name, value)]);
        assert_eq!(hit(&action).map(|(status, ..)| status), Some(expected), "{name}: {value}");
    }
    // The tag counts more.
    let both = [("if-none-match", "\"0\""), ("if-modified-since", DATE)];
    assert_eq!(hit(&asked(&mut harness, &both)).map(|(status, ..)| status), Some(200));
}

#[test]
fn one_request_validates_while_others_get_the_stale_response() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    let headers = [("cache-control", "max-age=10, stale-while-revalidate=20"), ("etag", "\"1\"")];
    answered(&mut harness, &headers, b"body");
    harness.advance_clock(Duration::from_secs(15));
    assert_eq!(hit(&asked(&mut harness, &[])), None);
    assert_eq!(hit(&asked(&mut harness, &[])), Some((200, &b"body"[..], "15")));
    // The first one's answer arrives.
    harness.advance_clock(Duration::from_secs(30));
    assert_eq!(hit(&asked(&mut harness, &[])), None);
    harness.on_response(304, &headers);
    assert_eq!(hit(&asked(&mut harness, &[])), Some((200, &b"body"[..], "0")));
}

#[test]
fn a_stale_response_is_not_served_where_the_upstream_forbids_it() {
    for (directives, control, expected) in [
        ("s-maxage=10, stale-while-revalidate=20", "", true),
        ("s-maxage=10", "max-stale", false),
        ("max-age=10", "max-stale", true),
        ("max-age=10, must-revalidate", "max-stale", false),
        ("max-age=10, stale-while-revalidate=20, must-revalidate", "", false),
    ] {
        let mut harness = harness();
        asked(&mut harness, &[]);
        answered(&mut harness, &[("cache-control", directives), ("etag", "\"1\"")], b"body");
        harness.advance_clock(Duration::from_secs(15));
        let control = [("cache-control", control)];
        // The first one may be the one that validates.
        asked(&mut harness, &control);
        assert_eq!(asked(&mut harness, &control).response.is_some(), expected, "{directives}; {control:?}");
    }
}

#[test]
fn failures_are_bridged_where_the_upstream_allows_it() {
    for (directives, expected) in [
        ("max-age=10, stale-if-error=60", 200),
        ("max-age=10", 503),
        ("max-age=10, stale-if-error=60, must-revalidate", 503),
    ] {
        // Without a validator too (RFC 5861, section 4).
        for validator in [("etag", "\"1\""), ("x-none", "1")] {
            let mut harness = harness();
            asked(&mut harness, &[]);
            answered(&mut harness, &[("cache-control", directives), validator], b"body");
            harness.advance_clock(Duration::from_secs(20));
            asked(&mut harness, &[]);
            let action = harness.on_response(503, &[]);
            assert_eq!(action.response.map_or(503, |response| response.status()), expected, "{directives}");
        }
    }
}

/// Whoever sends a body chooses the response: others once got it.
#[test]
fn a_response_to_a_request_with_a_body_is_not_stored() {
    for chunks in [&[(&b"b"[..], true)][..], &[(b"", false), (b"b", false), (b"", true)], &[(b"b", false)], &[]] {
        let mut harness = harness();
        harness.on_request("GET", "/a?b", &[]);
        for (chunk, last) in chunks {
            harness.on_request_chunk(chunk, *last);
        }
        answered(&mut harness, &[("cache-control", "max-age=60")], b"body");
        assert!(asked(&mut harness, &[]).response.is_none());
    }
}

#[test]
fn clients_may_ask_for_newer_or_older_ones() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    answered(&mut harness, &[("cache-control", "max-age=60"), ("etag", "\"1\"")], b"body");
    harness.advance_clock(Duration::from_secs(30));
    for (control, expected) in [
        ("no-cache", false),
        ("no-store", false),
        ("max-age=29", false),
        ("max-age=30", true),
        ("min-fresh=31", false),
        ("min-fresh=30", true),
        ("only-if-cached", true),
        ("max-stale", true),
    ] {
        assert_eq!(asked(&mut harness, &[("cache-control", control)]).response.is_some(), expected, "{control}");
    }
    assert!(asked(&mut harness, &[("pragma", "no-cache")]).response.is_none());
    harness.advance_clock(Duration::from_secs(40));
    for (control, expected) in [("max-stale=9", None), ("max-stale=10", Some(200)), ("max-stale", Some(200))] {
        let action = asked(&mut harness, &[("cache-control", control)]);
        assert_eq!(hit(&action).map(|(status, ..)| status), expected, "{control}");
    }
    assert_eq!(hit(&asked(&mut harness, &[("cache-control", "only-if-cached")])).map(|(status, ..)| status), Some(504));
}

#[test]
fn changes_invalidate() {
    let store = |harness: &mut Harness<Cache>, target: &str| {
        asked_for(harness, target, &[]);
        answered(harness, &[("cache-control", "max-age=60")], b"body");
        assert!(harness.on_request("GET", target, &[]).response.is_some());
    };
    for (status, headers, target, gone) in [
        (204, &[][..], "/a", true),
        (302, &[], "/a", true),
        (404, &[], "/a", false),
        (500, &[], "/a", false),
        (201, &[("location", "/b")], "/b", true),
        (201, &[("content-location", "http://localhost/b")], "/b", true),
        (201, &[("location", "http://other.example/b")], "/b", false),
        (201, &[("location", "//localhost/b")], "/b", false),
    ] {
        let mut harness = harness();
        store(&mut harness, target);
        assert!(harness.on_request("POST", "/a", &[]).response.is_none());
        harness.on_response(status, headers);
        assert_eq!(harness.on_request("GET", target, &[]).response.is_none(), gone, "{status} {headers:?}");
    }
}

#[test]
fn credentials_are_kept_apart() {
    let public = [("cache-control", "public, max-age=60")];
    // A guest that checks credentials may take them off, and tells whose they were.
    for secret in [[("authorization", "Bearer a")], [("x-principal", "ann")]] {
        let mut plain = harness();
        plain.on_request("GET", "/a?b", &secret);
        let action = answered(&mut plain, &public, b"secret");
        assert_eq!(action.header("cache-status"), None);
        assert!(asked(&mut plain, &[]).response.is_none());
        answered(&mut plain, &public, b"body");
        assert!(asked(&mut plain, &[]).response.is_some());
        assert!(asked(&mut plain, &secret).response.is_none());
        credentials_are_shared_where_the_upstream_says_so(secret);
    }
    let config = Config { principal_headers: Vec::new(), ..Config::default() };
    let mut harness = Harness::<Cache>::configure(config).unwrap();
    asked(&mut harness, &[("x-principal", "ann")]);
    answered(&mut harness, &public, b"body");
    assert!(asked(&mut harness, &[("x-principal", "bob")]).response.is_some());
}

fn credentials_are_shared_where_the_upstream_says_so(secret: [(&str, &str); 1]) {
    for (directives, expected) in [("max-age=60", false), ("public, max-age=60", true), ("s-maxage=60", true)] {
        let config = Config { authorization: true, ..Config::default() };
        let mut harness = Harness::<Cache>::configure(config).unwrap();
        asked(&mut harness, &secret);
        answered(&mut harness, &[("cache-control", directives)], b"body");
        assert_eq!(asked(&mut harness, &secret).response.is_some(), expected, "{directives}");
        // What one without credentials got is not for those with, unless it says so.
        asked_for(&mut harness, "/c", &[]);
        answered(&mut harness, &[("cache-control", directives)], b"body");
        assert_eq!(harness.on_request("GET", "/c", &secret).response.is_some(), expected, "{directives}");
    }
}

#[test]
fn urls_are_kept_apart() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    answered(&mut harness, &[("cache-control", "max-age=60")], b"body");
    for target in ["/a", "/a?", "/a?b=", "/A?b", "/a?b&c", "/b?b"] {
        assert!(harness.on_request("GET", target, &[]).response.is_none(), "{target}");
    }
    // The body of a GET is no part of its URL.
    assert!(asked(&mut harness, &[("content-length", "5")]).response.is_none());
    assert!(harness.on_request("HEAD", "/a?b", &[]).response.is_some());
}

#[test]
fn a_full_store_stops_nothing() {
    let mut harness = harness();
    asked(&mut harness, &[]);
    harness.fail_kv(Some(kv::Error::Full));
    let action = harness.on_response(200, &[("cache-control", "max-age=60")]);
    assert_eq!(action.header("cache-status"), Some(&b"sentinel; fwd=uri-miss"[..]));
    assert!(action.response.is_none());
    harness.fail_kv(None);
    asked(&mut harness, &[]);
    harness.on_response(200, &[("cache-control", "max-age=60")]);
    harness.fail_kv(Some(kv::Error::Full));
    assert!(harness.on_response_chunk(b"body", true).response.is_none());
}

#[test]
fn dates_are_read() {
    assert_eq!(dates::parse(b"Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    assert_eq!(dates::parse(b"Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    assert_eq!(dates::parse(b"Thu, 29 Feb 2024 23:59:60 GMT"), Some(1_709_251_200));
    for wrong in [
        "",
        "0",
        "-1",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 00 Nov 1994 00:00:00 GMT",
        "Sun, 06 Nov 1969 00:00:00 GMT",
        "Sun, 06 Nov 99999 00:00:00 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
    ] {
        assert_eq!(dates::parse(wrong.as_bytes()), None, "{wrong}");
    }
}
