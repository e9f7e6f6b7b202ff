use crate::json::Object;
use crate::text::{judge, same, utf8, Buffer};
use crate::{HeaderEdit, HeaderEdits};

/// Each length up to three words, with a byte beyond ASCII at each place.
#[test]
fn every_byte_is_looked_at() {
    for length in 0..70 {
        let mut bytes = vec![b'a'; length];
        assert_eq!(utf8(&bytes), Some("a".repeat(length).as_str()));
        for place in 0..length {
            bytes[place] = 0xff;
            assert_eq!(utf8(&bytes), None, "{place} of {length}");
            let found = judge(&bytes, |word| u64::from(word.to_ne_bytes().contains(&0xff)));
            assert_eq!(found, 1, "{place} of {length}");
            bytes[place] = b'a';
        }
    }
}

#[test]
fn every_byte_is_compared() {
    for length in 0..40 {
        let bytes = vec![b'a'; length];
        assert!(same(&bytes, &bytes.clone()));
        assert!(!same(&bytes, &vec![b'a'; length + 1]) && !same(&vec![b'a'; length + 1], &bytes));
        for place in 0..length {
            let mut other = bytes.clone();
            other[place] = b'A';
            assert!(!same(&bytes, &other), "{place} of {length}");
        }
    }
}

#[test]
fn a_capital_anywhere_in_a_name_is_lowered() {
    for length in 1..25 {
        for place in 0..length {
            let mut edits = HeaderEdits::new();
            edits.remove(&format!("{}{}{}", "a".repeat(place), "Z", "a".repeat(length - place - 1)));
            let lowered = format!("{}{}{}", "a".repeat(place), "z", "a".repeat(length - place - 1));
            assert_eq!(edits.iter().collect::<Vec<_>>(), [HeaderEdit::Remove(&lowered)]);
        }
    }
}

#[test]
fn text_beyond_ascii_is_text() {
    for text in ["ü", "aü", "löwenzahn", "日本", "\u{10ffff}"] {
        assert_eq!(utf8(text.as_bytes()), Some(text));
    }
    // Cut off, overlong, and half of a pair.
    for bytes in [b"\xc3".as_slice(), b"abcdefgh\xe6\x97", b"\xc0\xaf", b"\xed\xa0\x80"] {
        assert_eq!(utf8(bytes), None);
    }
}

#[test]
fn a_buffer_grows() {
    let mut buffer = Buffer::with_room(4);
    buffer.push(["ab", "", "c"]);
    assert!(buffer.push_between(["<"], &"x".repeat(50), ">", |_| 0));
    buffer.push_number(["", "", ""], 1234567890, b'.');
    assert!(!buffer.push_between(["<"], "refused", ">", |_| 0x80));
    buffer.end_with(b'0', "1");
    buffer.end_with(b'0', "!");
    assert_eq!(buffer.into_string(), format!("abc<{}>1234567890.1!", "x".repeat(50)));
}

/// Each length up to some words, each place judged, in a buffer that has just the room.
#[test]
fn texts_are_copied_and_judged_whole() {
    for length in 0..70 {
        let text: String = ('!'..='~').cycle().take(length).collect();
        let judge = |found: u8| move |word: u64| if word.to_ne_bytes().contains(&found) { 1 << 63 } else { 0 };
        let mut buffer = Buffer::with_room(0);
        assert!(buffer.push_between(["<"], &text, ">", judge(b'\x7f')));
        for place in 0..length {
            assert!(!buffer.push_between([], &text, "", judge(text.as_bytes()[place])), "{place} of {length}");
        }
        assert_eq!(buffer.into_string(), format!("<{text}>"));
    }
}

#[test]
fn numbers_are_written_in_digits() {
    let powers = (0..20).map(|power| 10_u64.pow(power));
    let around = powers.flat_map(|power| [power - 1, power, power + 1, power.wrapping_mul(7)]);
    let all = (0..20_000).chain((0..100_000_000).step_by(9_973)).chain(around).chain([u64::MAX]);
    for value in all {
        let mut buffer = Buffer::with_room(0);
        buffer.push_number(["<", "", "="], value, b'>');
        assert_eq!(buffer.into_string(), format!("<={value}>"));
    }
}

#[test]
fn long_objects_are_whole() {
    let (name, value) = ("n".repeat(300), "v\"".repeat(300));
    let written = Object::new().string(&name, &name).string("v", &value).number(&value, 7).into_string();
    let escaped = value.replace('"', "\\\"");
    assert_eq!(written, format!("{{\"{name}\":\"{name}\",\"v\":\"{escaped}\",\"{escaped}\":7}}"));
}
