use crate::{media_type, HeaderName, HeaderValue};

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
