use sentinel_sdk::testing::Harness;

use super::*;

fn harness(origins: &[&str], credentials: bool) -> Harness<Cors> {
    Harness::configure(Config {
        origins: origins.iter().map(|&origin| origin.into()).collect(),
        methods: default_methods(),
        headers: default_headers(),
        exposed_headers: vec!["x-total".into()],
        credentials,
        max_age: Some(600),
        private_network: true,
    })
    .unwrap()
}

#[test]
fn origins_match_whole_labels_and_ports() {
    let written = ["https://app.example", "https://*.example.com", "http://localhost:*", "http://[::1]:8080"];
    let origins = Origins::new(&written.map(Into::into)).unwrap();
    for allowed in [
        "https://app.example",
        "https://a.example.com",
        "https://a.b-c.example.com",
        "http://localhost",
        "http://localhost:3000",
        "http://[::1]:8080",
    ] {
        assert!(origins.allow(allowed), "{allowed}");
    }
    for refused in [
        "",
        "null",
        "*",
        "http://app.example",
        "https://app.example:443",
        "https://app.example.evil.example",
        "https://xapp.example",
        "https://example.com",
        "https://.example.com",
        "https://a..example.com",
        "https://evil.example/.example.com",
        "https://evil.example:1.example.com",
        "https://evil@a.example.com",
        "https://a.example.com:8443",
        "https://a.example.com.",
        "https://evil-example.com",
        "http://localhost:",
        "http://localhost:99999",
        "http://localhost:80.evil.example",
        "http://localhost.evil.example",
        "http://[::1]",
    ] {
        assert!(!origins.allow(refused), "{refused}");
    }
}

#[test]
fn what_is_no_origin_is_not_configured() {
    for wrong in [
        "",
        "app.example",
        "https://",
        "https://app.example/",
        "https://a/b",
        "https://*",
        "https://a.*.example",
        "https://*example.com",
        "https://*.*.example",
        "https://a:b",
        "https://a:0x1",
        "https://a b",
        "https://[::g]",
        "https://a..b",
        "://a",
    ] {
        assert!(Origins::new(&[wrong.into()]).is_err(), "{wrong}");
    }
}

#[test]
fn a_response_names_the_origin_that_asked() {
    let mut harness = harness(&["https://a.example", "https://b.example"], true);
    assert!(harness.on_request("GET", "/", &[("origin", "https://b.example")]).response.is_none());
    let action = harness.on_response(200, &[("vary", "accept-encoding")]);
    assert_eq!(action.header("access-control-allow-origin"), Some(&b"https://b.example"[..]));
    assert_eq!(action.header("access-control-allow-credentials"), Some(&b"true"[..]));
    assert_eq!(action.header("access-control-expose-headers"), Some(&b"x-total"[..]));
    let vary: Vec<_> = action.headers.iter().filter(|(name, _)| name == "vary").map(|(_, value)| &value[..]).collect();
    assert_eq!(vary, [&b"accept-encoding"[..], b"Origin"]);
}

#[test]
fn responses_for_others_name_none() {
    let mut harness = harness(&["https://a.example"], false);
    for sent in [vec![], vec![("origin", "https://evil.example")], vec![("origin", "https://a.example"); 2]] {
        assert!(harness.on_request("GET", "/", &sent).response.is_none());
        let action = harness.on_response(200, &[("access-control-allow-origin", "https://evil.example")]);
        assert_eq!(action.header("access-control-allow-origin"), None);
        assert_eq!(action.header("vary"), Some(&b"Origin"[..]));
    }
}

#[test]
fn a_preflight_allows_what_it_is_asked_for() {
    let mut harness = harness(&["https://a.example"], true);
    let answer = harness
        .on_request(
            "OPTIONS",
            "/",
            &[
                ("origin", "https://a.example"),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "authorization, x-b"),
                ("access-control-request-private-network", "true"),
            ],
        )
        .response
        .unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.get_header("access-control-allow-headers"), Some(&b"authorization, x-b"[..]));
    assert_eq!(answer.get_header("access-control-allow-private-network"), Some(&b"true"[..]));
    assert_eq!(answer.get_header("access-control-max-age"), Some(&b"600"[..]));
}
