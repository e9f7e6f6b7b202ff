//! JSON objects for log lines and small answers, written one member after the other.
//!
//! ```
//! use sentinel_sdk::json;
//!
//! let line = json::Object::new().string("path", "/a").optional_string("query", None).number("status", 200);
//! assert_eq!(line.into_string(), r#"{"path":"/a","status":200}"#);
//! ```

use crate::log::{self, Level};
use crate::scratch;
use crate::text::{self, Buffer, EACH, HIGHEST};

/// What a log line or an error usually takes: growing step by step costs more than writing.
const ROOM: usize = 384;

/// An object under construction. Members appear in the order in which they are added.
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `into_string`"]
pub struct Object(Buffer);

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

// Names are literals: compiled in, they are looked at while compiling. Each member is written with a
// comma behind it; the last one goes.
impl Object {
    /// An object without members.
    #[inline(always)]
    pub fn new() -> Self {
        let mut text = Buffer::with_room(ROOM);
        text.push(["{"]);
        Self(text)
    }

    /// Add a string.
    #[inline(always)]
    pub fn string(mut self, name: &str, value: &str) -> Self {
        if is_special(name) || !self.0.push_between(["\"", name, "\":\""], value, "\",", special) {
            self.0 = with_escaped(self.0, name, value);
        }
        self
    }

    /// Add a string, or nothing.
    #[inline(always)]
    pub fn optional_string(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.string(name, value),
            None => self,
        }
    }

    /// Add a number.
    #[inline(always)]
    pub fn number(mut self, name: &str, value: u64) -> Self {
        if is_special(name) {
            self.0.push_number(["\"", &escaped(name), "\":"], value, b',');
        } else {
            self.0.push_number(["\"", name, "\":"], value, b',');
        }
        self
    }

    /// The object as JSON text.
    #[inline(always)]
    pub fn into_string(mut self) -> String {
        self.0.end_with(b',', "}");
        self.0.into_string()
    }

    /// Write the object as a line of the gateway's log.
    #[inline(always)]
    pub fn log(self, level: Level) {
        let text = self.into_string();
        log::write(level, &text);
        scratch::give_back(text.into_bytes());
    }
}

#[inline(always)]
fn is_special(text: &str) -> bool {
    text::judge(text.as_bytes(), special) & HIGHEST != 0
}

#[cold]
#[inline(never)]
fn with_escaped(mut buffer: Buffer, name: &str, value: &str) -> Buffer {
    buffer.push(["\"", &escaped(name), "\":\"", &escaped(value), "\","]);
    buffer
}

#[cold]
#[inline(never)]
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 16);
    value.chars().for_each(|character| escape(&mut escaped, character));
    escaped
}

/// RFC 8259, section 7.
fn escape(out: &mut String, character: char) {
    match character {
        ..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
        '"' | '\\' => out.extend(['\\', character]),
        _ => out.push(character),
    }
}

/// Sets a highest bit if one of eight bytes is a control character, a quotation mark or a backslash,
/// all of which are ASCII and rare. A subtraction sets that of the first byte that is below what is
/// subtracted; what it sets of later ones does not matter any more. With its second bit changed, a
/// quotation mark stands where the blank was, behind the control characters, and the blank above it.
fn special(word: u64) -> u64 {
    let control_or_quote = (word ^ (EACH * 2)).wrapping_sub(EACH * 0x21);
    let backslash = (word ^ (EACH * u64::from(b'\\'))).wrapping_sub(EACH);
    (control_or_quote | backslash) & !word
}
