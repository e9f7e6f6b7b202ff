use super::hex;
use crate::{media_type, HeaderEdit, HeaderEdits, HeaderName, HeaderValue, IncomingResponse, Response};

#[test]
fn names_are_lowered() {
    assert_eq!(&*HeaderName::parse("X-Api_Key!").unwrap(), "x-api_key!");
}

#[test]
fn names_that_are_no_token_are_refused_and_named() {
    for name in ["", "a b", "a:", ":path", "a\r", "ä", "a/b"] {
        let error = HeaderName::parse(name).unwrap_err();
        assert!(error.contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn the_gateway_keeps_its_own() {
    for name in ["Host", "content-length", "Transfer-Encoding", "connection", "upgrade", "te", "trailer"] {
        let error = HeaderName::parse(name).unwrap_err();
        assert!(error.contains(&name.to_lowercase()), "{error}");
    }
}

#[test]
fn values_hold_no_controls_but_tab() {
    assert_eq!(&*HeaderValue::parse("a\tb ü").unwrap(), "a\tb ü");
    for value in ["a\n", "\r", "\0", "\x7f"] {
        assert!(HeaderValue::parse(value).is_err(), "{value:?}");
    }
}

#[test]
fn a_media_type_has_no_parameters() {
    for (content_type, expected) in [
        (&b"text/html"[..], "text/html"),
        (b"Text/HTML; charset=utf-8", "text/html"),
        (b"application/json;charset=utf-8", "application/json"),
        (b"application/json\t; a=b", "application/json"),
        (b"", ""),
        (b"; charset=utf-8", ""),
        (b"a/\xff", "a/\u{fffd}"),
    ] {
        assert_eq!(media_type(content_type), expected);
    }
}

/// Short ones are written and read in another way than long ones.
#[test]
fn fields_of_every_size_are_written_and_found() {
    for length in [1, 7, 8, 30, 31, 32, 33, 255, 256, 70_000] {
        for size in [0, 1, 8, 33, 254, 255, 256, 65_535, 65_536] {
            let (name, value) = ("N".repeat(length), "v".repeat(size));
            let lowered = name.to_lowercase();
            let response = Response::new(200).header("a", "1").header(&name, &value).header("b", "2");
            assert_eq!(response.get_header(&lowered), Some(value.as_bytes()));
            assert_eq!(response.headers().nth(1), Some((lowered.as_str(), value.as_bytes())));
            assert_eq!(response.get_header("b"), Some(&b"2"[..]));
            let mut edits = HeaderEdits::new();
            edits.set(&name, &value);
            edits.append(&name, &value);
            edits.remove(&name);
            let (set, append) = (HeaderEdit::Set, HeaderEdit::Append);
            let expected = [set(&lowered, value.as_bytes()), append(&lowered, value.as_bytes())];
            assert_eq!(edits.iter().take(2).collect::<Vec<_>>(), expected);
            assert_eq!(edits.iter().nth(2), Some(HeaderEdit::Remove(&lowered)));
        }
    }
}

/// A later version of the contract may tell more of a field.
#[test]
fn what_is_not_known_of_a_field_is_passed_over() {
    let payload = hex("93 ccc8 93 93a161c4013107 94a162c40132 92c3c0 a0 92a163c40133 00");
    let response = IncomingResponse::decode(&payload, b"");
    let fields = [("a", &b"1"[..]), ("b", b"2"), ("c", b"3")];
    assert_eq!(response.headers().collect::<Vec<_>>(), fields);
    for (name, value) in fields {
        assert_eq!(response.head().headers().get_all(name).collect::<Vec<_>>(), [value]);
    }
}

#[test]
#[should_panic(expected = "the host's headers are as the contract says")]
fn a_field_that_is_cut_off_is_a_mistake_of_the_host() {
    IncomingResponse::decode(&hex("93 ccc8 91 92a161c40531"), b"").header("b");
}
