use crate::json::Node;

fn written(text: &str) -> Option<String> {
    let mut out = String::new();
    Node::parse(text)?.write(&mut out);
    Some(out)
}

#[test]
fn json_is_kept_as_it_is_written() {
    for text in [
        "1",
        "-0.10",
        "1E+400",
        "123456789012345678901234567890",
        r#""\u00e9\/""#,
        r#"{"b":1,"a":[],"b":{}}"#,
        "null",
        r#"{"\u0061":"a"}"#,
        "[true,false,[[{}]]]",
    ] {
        assert_eq!(written(text).as_deref(), Some(text));
    }
    assert_eq!(written(" { \"a\" : [ 1 , 2 ] }\n").as_deref(), Some(r#"{"a":[1,2]}"#));
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "01",
        "1.",
        ".1",
        "1e",
        "+1",
        "-",
        "tru",
        "nulls",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "[1 2]",
        "{\"a\" 1}",
        "1 1",
        "\u{feff}1",
        "NaN",
        "{\"\\ud800\":1}",
    ] {
        assert_eq!(written(text), None, "{text}");
    }
    assert!(written(&("[".repeat(100) + &"]".repeat(100))).is_some());
    assert!(written(&("[".repeat(100_000) + &"]".repeat(100_000))).is_none());
}
