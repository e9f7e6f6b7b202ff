use sentinel_sdk::http;
use sentinel_sdk::testing::{Call, Harness, RequestAction};

use super::*;

fn config() -> Config {
    Config {
        address: "http://auth.test/check".into(),
        auth_request_headers: Vec::new(),
        auth_response_headers: vec![HeaderName::parse("x-user").unwrap(), HeaderName::parse("x-groups").unwrap()],
        add_auth_cookies_to_response: vec!["sid".into()],
        preserve_request_method: false,
        timeout: None,
        status_on_error: 503,
    }
}

fn harness(config: Config, status: u16, headers: &'static [(&'static str, &'static str)]) -> Harness<ForwardAuth> {
    let mut harness = Harness::configure(config).unwrap();
    harness.http_service(move |_| Ok(http::Response::new(status, headers, "no")));
    harness
}

fn question(harness: &mut Harness<ForwardAuth>) -> http::Request {
    let asked =
        harness
            .calls()
            .into_iter()
            .filter_map(|call| if let Call::HttpSend(request) = call { Some(request) } else { None });
    let asked: Vec<http::Request> = asked.collect();
    assert_eq!(asked.len(), 1);
    asked.into_iter().next().unwrap()
}

fn values(action: &RequestAction, name: &str) -> Vec<String> {
    let found = action.headers.iter().filter(|(field, _)| field == name);
    found.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).collect()
}

#[test]
fn the_service_is_told_of_the_request() {
    let mut harness = harness(config(), 200, &[]);
    let headers = [
        ("authorization", "Bearer x"),
        ("cookie", "a=b"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-uri", "/public"),
        ("x-forwarded-host", "evil.test"),
        ("x-original-url", "https://evil.test/public"),
        ("x-original-method", "OPTIONS"),
        ("content-type", "text/plain"),
        ("content-length", "7"),
        ("te", "trailers"),
    ];
    harness.on_request("POST", "/admin?x=1", &headers);
    let question = question(&mut harness);
    assert_eq!((question.method(), question.url(), question.content()), ("GET", "http://auth.test/check", &b""[..]));
    let fields: Vec<(&str, &[u8])> = question.headers().collect();
    let expected: Vec<(&str, &[u8])> = vec![
        ("authorization", b"Bearer x"),
        ("cookie", b"a=b"),
        ("x-forwarded-method", b"POST"),
        ("x-forwarded-proto", b"http"),
        ("x-forwarded-host", b"localhost"),
        ("x-forwarded-uri", b"/admin?x=1"),
        ("x-forwarded-for", b"127.0.0.1"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn only_fields_that_are_listed_are_told() {
    let names = ["Authorization", "x-original-url"].map(|name| HeaderName::parse(name).unwrap());
    let listed = Config { auth_request_headers: names.into(), ..config() };
    let mut harness = harness(Config { preserve_request_method: true, ..listed }, 200, &[]);
    harness.on_request("DELETE", "/", &[("authorization", "x"), ("cookie", "a=b"), ("x-original-url", "/a")]);
    let question = question(&mut harness);
    assert_eq!((question.method(), question.get_header("authorization")), ("DELETE", Some(&b"x"[..])));
    assert_eq!((question.get_header("cookie"), question.get_header("x-original-url")), (None, Some(&b"/a"[..])));
}

#[test]
fn the_upstream_gets_what_the_service_says_and_not_what_the_client_does() {
    let mut harness = harness(config(), 204, &[("X-User", "ann"), ("x-other", "1")]);
    let action = harness.on_request("GET", "/", &[("x-user", "root"), ("x-groups", "admin"), ("x-other", "2")]);
    assert!(action.response.is_none());
    assert_eq!((values(&action, "x-user"), values(&action, "x-groups")), (vec!["ann".to_owned()], vec![]));
    assert_eq!(values(&action, "x-other"), ["2"]);
}

#[test]
fn several_values_stay_several() {
    let mut harness = harness(config(), 200, &[("x-groups", "a"), ("x-groups", "b")]);
    let action = harness.on_request("GET", "/", &[("x-groups", "admin")]);
    assert_eq!(values(&action, "x-groups"), ["a", "b"]);
}

#[test]
fn an_answer_that_is_not_2xx_is_the_clients() {
    for status in [300, 302, 401, 403, 404, 500, 503] {
        let mut harness = harness(
            config(),
            status,
            &[("location", "/login"), ("connection", "close"), ("content-length", "2"), ("set-cookie", "s=1")],
        );
        let response = harness.on_request("GET", "/", &[]).response.expect("it does not pass");
        let fields: Vec<(&str, &[u8])> = response.headers().collect();
        let expected: [(&str, &[u8]); 2] = [("location", b"/login"), ("set-cookie", b"s=1")];
        assert_eq!((response.status(), response.content(), &fields[..]), (status, &b"no"[..], &expected[..]));
    }
    for status in [199, 600, 101] {
        let mut harness = harness(config(), status, &[]);
        assert_eq!(harness.on_request("GET", "/", &[]).response.unwrap().status(), 502);
    }
}

#[test]
fn nobody_passes_when_the_service_cannot_be_asked() {
    for error in [
        http::Error::Denied,
        http::Error::Timeout,
        http::Error::Unreachable,
        http::Error::TooLarge,
        http::Error::TooMany,
    ] {
        let mut harness = Harness::<ForwardAuth>::configure(Config { status_on_error: 403, ..config() }).unwrap();
        harness.http_service(move |_| Err(error));
        assert_eq!(harness.on_request("GET", "/", &[]).response.unwrap().status(), 403);
        assert_eq!(harness.logs().len(), 1);
    }
}

#[test]
fn cookies_that_are_listed_reach_the_client() {
    let mut harness =
        harness(config(), 200, &[("set-cookie", "sid=1; HttpOnly"), ("set-cookie", "sid2=2"), ("set-cookie", "sid=3")]);
    assert!(harness.on_request("GET", "/", &[]).response.is_none());
    let action = harness.on_response(200, &[("set-cookie", "own=1")]);
    let cookies: Vec<&[u8]> = action.headers.iter().map(|(_, value)| &value[..]).collect();
    assert_eq!(cookies, [&b"own=1"[..], b"sid=1; HttpOnly", b"sid=3"]);
    let mut other = self::harness(config(), 200, &[]);
    other.on_request("GET", "/", &[]);
    assert!(other.on_response(200, &[]).headers.is_empty());
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    for (config, expected) in [
        (Config { address: "auth.test".into(), ..config() }, "address"),
        (Config { address: "ftp://auth.test".into(), ..config() }, "address"),
        (Config { status_on_error: 200, ..config() }, "status_on_error"),
    ] {
        let Err(error) = Harness::<ForwardAuth>::configure(config) else { panic!("{expected}") };
        assert!(error.contains(expected), "{error}");
    }
}
