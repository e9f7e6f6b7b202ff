//! JSON objects for log lines and small answers, written one member after the other.
//!
//! ```
//! use sentinel_sdk::json;
//!
//! let line = json::Object::new().string("path", "/a").optional_string("query", None).number("status", 200);
//! assert_eq!(line.into_string(), r#"{"path":"/a","status":200}"#);
//! ```

/// What a log line or an error usually takes: growing step by step costs more than writing.
const ROOM: usize = 320;

/// An object under construction. Members appear in the order in which they are added.
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `into_string`"]
pub struct Object(String);

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        let mut text = String::with_capacity(ROOM);
        text.push('{');
        Self(text)
    }

    /// Add a string.
    pub fn string(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        put_string(&mut self.0, value);
        self
    }

    /// Add a string, or nothing.
    pub fn optional_string(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.string(name, value),
            None => self,
        }
    }

    /// Add a number.
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        put_number(&mut self.0, value);
        self
    }

    /// The object as JSON text.
    pub fn into_string(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        put_string(&mut self.0, name);
        self.0.push(':');
    }
}

/// Without `format!`, which costs more than all the rest of a line.
fn put_number(out: &mut String, value: u64) {
    if value > 9 {
        put_number(out, value / 10);
    }
    out.push(char::from(b'0' + (value % 10) as u8));
}

fn put_string(out: &mut String, value: &str) {
    out.push('"');
    if has_special(value.as_bytes()) {
        value.chars().for_each(|character| put_escaped(out, character));
    } else {
        out.push_str(value);
    }
    out.push('"');
}

/// RFC 8259, section 7.
fn put_escaped(out: &mut String, character: char) {
    match character {
        ..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
        '"' | '\\' => out.extend(['\\', character]),
        _ => out.push(character),
    }
}

/// Whether any byte must be escaped, which is rare. All that must are ASCII.
fn has_special(text: &[u8]) -> bool {
    // Eight bytes at a time: one at a time, this takes longer than all the rest of a line. The last
    // eight may overlap those before, and two times four each other.
    if let Some(&last) = text.last_chunk() {
        let mut words = text.chunks_exact(8);
        return words.any(|word| is_special(u64::from_ne_bytes(word.try_into().expect("eight bytes"))))
            || is_special(u64::from_ne_bytes(last));
    }
    if let (Some(&first), Some(&last)) = (text.first_chunk(), text.last_chunk()) {
        let halves = [u32::from_ne_bytes(first), u32::from_ne_bytes(last)];
        return is_special(u64::from(halves[0]) << 32 | u64::from(halves[1]));
    }
    text.iter().any(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')
}

const EACH: u64 = 0x0101_0101_0101_0101;

/// Whether one of eight bytes is a control character, a quotation mark or a backslash. A
/// subtraction sets the highest bit of the first byte that is below what is subtracted; what it
/// sets of later ones does not matter any more.
fn is_special(word: u64) -> bool {
    let control = word.wrapping_sub(EACH * u64::from(b' '));
    let quote = (word ^ (EACH * u64::from(b'"'))).wrapping_sub(EACH);
    let backslash = (word ^ (EACH * u64::from(b'\\'))).wrapping_sub(EACH);
    (control | quote | backslash) & !word & (EACH << 7) != 0
}
