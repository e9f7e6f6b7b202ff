use std::time::Duration;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sentinel_sdk::kv;
use sentinel_sdk::testing::{Harness, RequestAction};

use super::*;

/// RFC 9421, appendix B.1.5.
const SHARED: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
/// What the stand-in's clock says.
const NOW: u64 = 1_767_225_600;
/// `{"hello": "world"}`; RFC 9530, appendix B.
const BODY: &[u8] = b"{\"hello\": \"world\"}";
const DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

fn config() -> Config {
    Config {
        keys: [("test-shared-secret".to_owned(), SHARED.to_owned())].into(),
        components: default_components(),
        clock_skew: 300,
        require_nonce: true,
        validate_body: false,
        body_limit: 1024,
        principal_header: default_principal_header(),
    }
}

fn harness() -> Harness<HmacAuth> {
    Harness::configure(config()).unwrap()
}

fn status(action: &RequestAction) -> u16 {
    action.response.as_ref().map_or(200, Response::status)
}

const COVERED: &str = "(\"@method\" \"@authority\" \"@path\" \"@query\")";

/// The two header fields for a base that begins with these lines.
fn signed(lines: &str, input: &str) -> [(&'static str, String); 2] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&Base64::decode_vec(SHARED).unwrap()).unwrap();
    mac.update(format!("{lines}\"@signature-params\": {input}").as_bytes());
    let signature = Base64::encode_string(&mac.finalize().into_bytes());
    [("signature-input", format!("s={input}")), ("signature", format!("s=:{signature}:"))]
}

fn lines(method: &str, path: &str, query: &str) -> String {
    format!("\"@method\": {method}\n\"@authority\": localhost\n\"@path\": {path}\n\"@query\": {query}\n")
}

fn input(nonce: &str) -> String {
    format!("{COVERED};created={NOW};keyid=\"test-shared-secret\";nonce=\"{nonce}\"")
}

fn ask(harness: &mut Harness<HmacAuth>, target: &str, fields: &[(&'static str, String)]) -> RequestAction {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, &value[..])).collect();
    harness.on_request("GET", target, &fields)
}

/// RFC 9421, appendix B.2.5. The authority is the harness's, so that the base is made here and not
/// by the guest.
#[test]
fn the_example_of_the_rfc_fits() {
    let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n\
                \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
    let signature = Base64::decode_vec("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=").unwrap();
    let secret = Base64::decode_vec(SHARED).unwrap();
    assert!(signature::fits(&secret, base.as_bytes(), &signature));
    assert!(!signature::fits(&secret, &base.as_bytes()[1..], &signature));
    assert!(!signature::fits(&secret[1..], base.as_bytes(), &signature));
    assert!(!signature::fits(&secret, base.as_bytes(), &signature[..31]));
    assert!(!signature::fits(&secret, base.as_bytes(), b""));
}

#[test]
fn a_signed_request_passes_once() {
    let mut harness = harness();
    let fields = signed(&lines("GET", "/foo", "?a=1"), &input("n1"));
    let action = ask(&mut harness, "/foo?a=1", &fields);
    assert_eq!((status(&action), action.header("x-principal")), (200, Some(&b"test-shared-secret"[..])));
    assert_eq!(status(&ask(&mut harness, "/foo?a=1", &fields)), 401);
    harness.advance_clock(Duration::from_secs(300));
    assert_eq!(status(&ask(&mut harness, "/foo?a=1", &fields)), 401);
    let again = signed(&lines("GET", "/foo", "?a=1"), &input("n2"));
    assert_eq!(status(&ask(&mut harness, "/foo?a=1", &again)), 200);
}

#[test]
fn every_component_counts() {
    let mut harness = harness();
    for (method, path, query, target) in [
        ("POST", "/foo", "?a=1", "/foo?a=1"),
        ("GET", "/bar", "?a=1", "/foo?a=1"),
        ("GET", "/foo", "?a=2", "/foo?a=1"),
        ("GET", "/foo", "?", "/foo?a=1"),
        ("GET", "/foo", "?a=1", "/foo"),
    ] {
        let fields = signed(&lines(method, path, query), &input("n"));
        assert_eq!(status(&ask(&mut harness, target, &fields)), 401, "{method} {path} {query}");
    }
    assert_eq!(status(&ask(&mut harness, "/foo", &signed(&lines("GET", "/foo", "?"), &input("n")))), 200);
}

#[test]
fn header_fields_are_signed_with_all_their_values() {
    let mut harness = harness();
    let input = input("n").replace(")", " \"x-a\")");
    let [first, second] = signed(&(lines("GET", "/", "?") + "\"x-a\": 1, 2\n"), &input);
    for (values, expected) in
        [(vec!["1"], 401), (vec!["1", "2", "3"], 401), (vec![], 401), (vec!["2", "1"], 401), (vec![" 1", "2"], 200)]
    {
        let mut fields = vec![first.clone(), second.clone()];
        fields.extend(values.iter().map(|value| ("x-a", value.to_string())));
        assert_eq!(status(&ask(&mut harness, "/", &fields)), expected, "{values:?}");
    }
}

#[test]
fn time_and_parameters_are_held_to() {
    let mut harness = harness();
    let key = "keyid=\"test-shared-secret\"";
    for (parameters, expected) in [
        (format!("created={NOW};{key}"), 401),
        (format!("created={NOW};{key};nonce=\"\""), 401),
        (format!("{key};nonce=\"1\""), 401),
        (format!("created={};{key};nonce=\"2\"", NOW - 301), 401),
        (format!("created={};{key};nonce=\"3\"", NOW + 301), 401),
        (format!("created={};{key};nonce=\"4\"", NOW - 300), 200),
        (format!("created={};{key};nonce=\"5\"", NOW + 300), 200),
        (format!("created={NOW};expires={NOW};{key};nonce=\"6\""), 401),
        (format!("created={NOW};expires={};{key};nonce=\"7\"", NOW + 1), 200),
        (format!("created={NOW};{key};nonce=\"8\";alg=\"hmac-sha256\""), 200),
        (format!("created={NOW};{key};nonce=\"9\";alg=\"rsa-pss-sha512\""), 401),
        (format!("created={NOW};keyid=\"other\";nonce=\"10\""), 401),
        (format!("created={NOW};nonce=\"11\""), 401),
        (format!("created={NOW};{key};nonce=\"12\";unknown=1"), 401),
    ] {
        let fields = signed(&lines("GET", "/", "?"), &format!("{COVERED};{parameters}"));
        assert_eq!(status(&ask(&mut harness, "/", &fields)), expected, "{parameters}");
    }
    for covered in
        ["()", "(\"@method\" \"@authority\" \"@path\")", "(\"@method\" \"@authority\" \"@path\" \"@query\" \"@query\")"]
    {
        let input = format!("{covered};created={NOW};{key};nonce=\"x\"");
        assert_eq!(status(&ask(&mut harness, "/", &signed(&lines("GET", "/", "?"), &input))), 401, "{covered}");
    }
}

#[test]
fn a_body_is_what_was_signed() {
    let mut harness = Harness::<HmacAuth>::configure(Config { validate_body: true, ..config() }).unwrap();
    let with_digest = |digest: &str, nonce: &str| {
        let [first, second] = signed(
            &(lines("GET", "/", "?") + &format!("\"content-digest\": {digest}\n")),
            &input(nonce).replace(")", " \"content-digest\")"),
        );
        [first, second, ("content-digest", digest.into())]
    };
    for (number, digest) in [DIGEST, "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"].iter().enumerate() {
        assert_eq!(status(&ask(&mut harness, "/", &with_digest(digest, &number.to_string()))), 200);
        assert!(harness.on_request_chunk(BODY, true).response.is_none());
        assert_eq!(harness.on_request_chunk(b"{\"hello\": \"w0rld\"}", true).response.unwrap().status(), 401);
        assert_eq!(harness.on_request_chunk(b"", true).response.unwrap().status(), 401);
    }
    for digest in ["md5=:AAAA:", "sha-256=:AAAA:", "sha-512=AAAA"] {
        assert_eq!(
            status(&ask(&mut harness, "/", &with_digest(digest, digest.split('=').nth(1).unwrap()))),
            401,
            "{digest}"
        );
    }
    // Without a digest there may be no body.
    assert_eq!(status(&ask(&mut harness, "/", &signed(&lines("GET", "/", "?"), &input("none")))), 200);
    assert!(harness.on_request_chunk(b"", true).response.is_none());
    assert_eq!(harness.on_request_chunk(b"x", true).response.unwrap().status(), 401);
}

#[test]
fn when_nobody_can_tell_nobody_passes() {
    let mut harness = harness();
    harness.fail_kv(Some(kv::Error::Full));
    assert_eq!(status(&ask(&mut harness, "/", &signed(&lines("GET", "/", "?"), &input("n")))), 503);
}

#[test]
fn a_wrong_signature_uses_up_no_nonce() {
    let mut harness = harness();
    let [first, second] = signed(&lines("GET", "/", "?"), &input("n"));
    assert_eq!(status(&ask(&mut harness, "/other", &[first.clone(), second.clone()])), 401);
    assert_eq!(status(&ask(&mut harness, "/", &[first, second])), 200);
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    for (secret, id, expected) in
        [("short", "a", "keys: a: it is not base64"), ("c2hvcnQ=", "a", "at least 32 bytes"), (SHARED, "a\n", "an id")]
    {
        let Err(error) =
            Harness::<HmacAuth>::configure(Config { keys: [(id.into(), secret.into())].into(), ..config() })
        else {
            panic!("{expected}")
        };
        assert!(error.contains(expected), "{error}");
    }
}
