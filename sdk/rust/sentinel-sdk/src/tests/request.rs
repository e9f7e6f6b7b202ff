use std::borrow::Cow;

use super::hex;
use crate::{HeaderEdits, Request, Response};

/// The `request-head` of `wit/ABI.md`, with two more headers.
const HEAD: &str = "9a a3474554 a22f61 a3623d31 93 92a4686f7374c40168 92a3782d61c40131 92a3782d61c402ff32
    a468747470 a168 a93132372e302e302e31 a27231 a12f a3312e31";

#[test]
fn views_borrow_from_the_payload() {
    let payload = hex(HEAD);
    let range = payload.as_ptr_range();
    let request = Request::decode(&payload);
    for bytes in [
        request.method().as_bytes(),
        request.path().as_bytes(),
        request.query().unwrap().as_bytes(),
        request.head().header("x-a").unwrap(),
        request.http_version().as_bytes(),
    ] {
        assert!(range.contains(&bytes.as_ptr()));
    }
}

#[test]
fn fields_read_in_any_order() {
    let payload = hex(HEAD);
    let request = Request::decode(&payload);
    assert_eq!(request.http_version(), "1.1");
    assert_eq!(request.scheme(), "http");
    assert_eq!(request.route(), "/");
    assert_eq!((request.authority(), request.client(), request.request_id()), ("h", "127.0.0.1", "r1"));
    assert_eq!((request.method(), request.path(), request.query()), ("GET", "/a", Some("b=1")));
}

#[test]
fn headers_are_found_whatever_the_case() {
    let payload = hex(HEAD);
    let request = Request::decode(&payload);
    let headers = request.head().headers();
    assert_eq!(request.header("X-A").as_deref(), Some(&b"1"[..]));
    assert_eq!(headers.get_all("x-A").collect::<Vec<_>>(), [&b"1"[..], b"\xff2"]);
    assert_eq!(request.header("x").as_deref(), None);
    assert_eq!((headers.len(), headers.is_empty()), (3, false));
    assert_eq!(headers.iter().next(), Some(("host", &b"h"[..])));
}

#[test]
fn identity_is_no_content_coding() {
    for (codings, expected) in [
        (&[][..], false),
        (&["identity"], false),
        (&["Identity"], false),
        (&["gzip"], true),
        (&[""], true),
        (&["identity", "br"], true),
        (&["identity, br"], true),
    ] {
        let mut payload = hex("9a a3474554 a12f c0");
        payload.push(0x90 + codings.len() as u8);
        for coding in codings {
            payload.extend([b"\x92\xb0content-encoding\xc4", &[coding.len() as u8][..], coding.as_bytes()].concat());
        }
        payload.extend(hex("a468747470 a168 a0 a172 a12f a132"));
        assert_eq!(Request::decode(&payload).head().headers().has_content_coding(), expected, "{codings:?}");
    }
}

#[test]
fn fields_of_a_newer_host_are_passed_over() {
    let payload = hex("9c a3474554 a12f c0 91 93 a161 c401 62 c3 a468747470 a168 a0 a172 a12f a132 c0 82 01 02 03 04");
    let request = Request::decode(&payload);
    assert_eq!(request.header("a").as_deref(), Some(&b"b"[..]));
    assert_eq!(request.http_version(), "2");
}

#[test]
fn a_clients_certificate_is_read_with_its_names() {
    let certificate = "94 a4434e3d61 92 a5444e533a61 a5555249 3a62 a23030 c3";
    let fields = "a3474554 a12f c0 90 a468747470 a168 a0 a172 a12f a132";
    let read = |payload: &str| {
        let payload = hex(payload);
        let request = Request::decode(&payload);
        request.client_certificate().map(|read| {
            (
                read.subject.to_owned(),
                read.names.join(" "),
                read.sha256.to_owned(),
                read.verified,
                request.route() == "/",
            )
        })
    };
    let expected = ("CN=a".to_owned(), "DNS:a URI:b".to_owned(), "00".to_owned(), true, true);
    assert_eq!(read(&format!("9b {fields} {certificate}")), Some(expected));
    assert_eq!(read(&format!("9b {fields} c0")), None);
    assert_eq!(read(&format!("9a {fields}")), None);
}

#[test]
#[should_panic(expected = "request-head")]
fn a_head_with_too_few_fields_is_refused() {
    Request::decode(&hex("91 a3474554"));
}

#[test]
fn no_change_is_one_byte() {
    assert_eq!(Request::decode(&hex(HEAD)).into_answer(), [0xc0]);
}

#[test]
fn the_answers_of_the_abi_page() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    request.set_header("x-a", "1");
    assert_eq!(request.into_answer(), hex("92 00 91 91 92 00 92 a3782d61 c40131"));

    let refusal = Response::new(401).body("no");
    assert_eq!(Request::decode(&payload).into_refusal(refusal), hex("92 01 91 93 cd0191 90 c4026e6f"));

    let mut request = Request::decode(&payload);
    request.buffer_body(1024);
    assert_eq!(request.into_answer(), hex("92 00 97 90 c400 c0 c0 c0 c0 92 02 cd0400"));
}

#[test]
fn every_edit_in_its_place() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    request.append_header("A", b"\xff");
    request.remove_header("B");
    request.set_context_bytes("c");
    request.set_path("/p");
    request.set_query("");
    request.set_method("PUT");
    request.set_upstream("u");
    request.stream_body();
    let edits = "92 92 01 92 a161 c401ff 92 02 a162";
    assert_eq!(request.into_answer(), hex(&format!("92 00 97 {edits} c40163 a22f70 a0 a3505554 a175 91 01")));
}

#[test]
fn trailing_defaults_are_left_out() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    request.set_path("/");
    request.stream_body();
    request.skip_body();
    assert_eq!(request.into_answer(), hex("92 00 93 90 c400 a12f"));
}

#[test]
fn the_context_goes_with_a_refusal() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    request.set_context(&("u", 7));
    request.set_header("a", "b");
    let refusal = Response::new(204).header("X-Y", "z");
    assert_eq!(request.into_refusal(refusal), hex("92 01 92 93 cccc 91 92 a3782d79 c4017a c400 c40492a17507"));
}

#[test]
fn reading_shows_the_edits_and_the_head_does_not() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    request.append_header("x-a", "3");
    request.set_header("x-b", "old");
    request.set_header("X-B", "new");
    request.remove_header("host");
    request.set_path("/p");
    request.set_query("");
    request.set_method("PUT");
    let headers: Vec<_> = request.headers().collect();
    assert_eq!(headers, [("x-a", &b"1"[..]), ("x-a", b"\xff2"), ("x-a", b"3"), ("x-b", b"new")]);
    assert_eq!((request.header("x-b").as_deref(), request.header("host").as_deref()), (Some(&b"new"[..]), None));
    assert_eq!((request.path(), request.query(), request.method()), ("/p", None, "PUT"));
    let head = request.head();
    assert_eq!((head.path(), head.query(), head.method()), ("/a", Some("b=1"), "GET"));
    assert_eq!(head.header("host"), Some(&b"h"[..]));
}

/// A value once borrowed from the request as a whole, so that no edit compiled while it was in use.
#[test]
fn a_header_s_value_outlives_edits() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    let arrived = request.header("x-a").unwrap();
    assert!(matches!(arrived, Cow::Borrowed(_)));
    request.set_header("x-b", &arrived);
    let set = request.header("X-B").unwrap();
    request.set_header("x-b", [&*set, b"!"].concat());
    request.append_header("x-b", &set);
    assert_eq!(request.header("x-b").as_deref(), Some(&b"1!"[..]));
    request.append_header("x-a", "last");
    assert_eq!(request.header("x-a").as_deref(), Some(&b"1"[..]));
}

#[test]
fn a_context_may_be_a_str() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    request.set_context("blue");
    assert_eq!(request.edits().context, *b"\xa4blue");
}

#[test]
fn what_the_head_lends_outlives_an_edit() {
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    let path = request.head().path();
    request.set_header("x-original-path", path);
    assert_eq!(request.header("x-original-path").as_deref(), Some(&b"/a"[..]));
}

#[test]
fn edits_made_beforehand_are_added_in_order() {
    let mut edits = HeaderEdits::new();
    assert!(edits.is_empty());
    edits.set("a", "1");
    edits.remove("b");
    let payload = hex(HEAD);
    let mut request = Request::decode(&payload);
    request.append_header("c", "2");
    request.edit_headers(&edits);
    let all = "93 92 01 92 a163 c40132 92 00 92 a161 c40131 92 02 a162";
    assert_eq!(request.into_answer(), hex(&format!("92 00 91 {all}")));
}
