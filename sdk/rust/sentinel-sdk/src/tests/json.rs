use crate::json::Object;

#[test]
fn members_appear_in_order() {
    assert_eq!(Object::new().into_string(), "{}");
    let object = Object::new().number("a", 0).string("b", "").optional_string("c", None);
    assert_eq!(object.optional_string("d", Some("e")).into_string(), r#"{"a":0,"b":"","d":"e"}"#);
}

#[test]
fn numbers_are_written_whole() {
    for value in [0, 9, 10, 99, 100, 4_294_967_296, u64::MAX] {
        assert_eq!(Object::new().number("n", value).into_string(), format!("{{\"n\":{value}}}"));
    }
}

/// Each ASCII byte at each place of a word, and of what is left over after whole words.
#[test]
fn what_must_be_escaped_is() {
    for byte in 0..0x80_u8 {
        let character = char::from(byte);
        let escaped = match byte {
            0..=0x1f => format!("\\u{byte:04x}"),
            b'"' | b'\\' => format!("\\{character}"),
            _ => character.to_string(),
        };
        for place in 0..19 {
            let (before, after) = ("~".repeat(place), "ü".repeat(18 - place));
            let written = Object::new().string("s", &format!("{before}{character}{after}")).into_string();
            assert_eq!(written, format!("{{\"s\":\"{before}{escaped}{after}\"}}"));
        }
    }
}

/// A text shorter than a word is looked at in other ways, by its length.
#[test]
fn short_texts_are_escaped_too() {
    for length in 1..9 {
        for place in 0..length {
            let (before, after) = ("~".repeat(place), "~".repeat(length - place - 1));
            for (character, escaped) in [("\t", "\\u0009"), ("\"", "\\\""), ("\\", "\\\\"), ("~", "~"), ("!", "!")] {
                let written = Object::new().string("s", &format!("{before}{character}{after}")).into_string();
                assert_eq!(written, format!("{{\"s\":\"{before}{escaped}{after}\"}}"));
            }
        }
    }
}

#[test]
fn names_are_escaped_too() {
    assert_eq!(Object::new().string("a\"b", "c").into_string(), r#"{"a\"b":"c"}"#);
}
