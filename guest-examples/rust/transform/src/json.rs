//! JSON (RFC 8259) as a tree that keeps what it does not change byte by byte: numbers, escapes, the
//! order of members.

use std::borrow::Cow;

/// As deep as a body may nest: each level takes stack.
const DEEPEST: usize = 128;

#[derive(Clone, Debug, PartialEq)]
pub enum Node<'t> {
    /// A string, a number, `true`, `false` or `null`, as it is written.
    Scalar(&'t str),
    Object(Vec<(Name<'t>, Node<'t>)>),
    Array(Vec<Node<'t>>),
}

/// A member's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Name<'t> {
    /// With quotes and escapes.
    written: Cow<'t, str>,
    text: Cow<'t, str>,
}

impl<'t> Name<'t> {
    pub fn new(text: &'t str) -> Self {
        let mut written = String::new();
        put_string(&mut written, text);
        Self { written: written.into(), text: text.into() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<'t> Node<'t> {
    /// The value that a text is; `None` if it is not JSON, or nests too deep.
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut parser = Parser { text, at: 0 };
        let node = parser.value(0)?;
        parser.space();
        (parser.at == text.len()).then_some(node)
    }

    pub fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&name.written);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
        }
    }
}

/// Write a JSON string.
pub fn put_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn value(&mut self, depth: usize) -> Option<Node<'t>> {
        if depth > DEEPEST {
            return None;
        }
        self.space();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Some(Node::Scalar(self.string()?)),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Node<'t>> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.take(b'}') {
            return Some(Node::Object(members));
        }
        loop {
            self.space();
            let written = self.string()?;
            let text = unescape(&written[1..written.len() - 1])?;
            self.space();
            self.take(b':').then_some(())?;
            members.push((Name { written: written.into(), text }, self.value(depth + 1)?));
            self.space();
            if self.take(b'}') {
                return Some(Node::Object(members));
            }
            self.take(b',').then_some(())?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<Node<'t>> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Some(Node::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Some(Node::Array(items));
            }
            self.take(b',').then_some(())?;
        }
    }

    /// With its quotes. What its escapes say is not looked at.
    fn string(&mut self) -> Option<&'t str> {
        let start = self.at;
        self.take(b'"').then_some(())?;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'u' => {
                            let digits = self.text.as_bytes().get(self.at + 1..self.at + 5)?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                            self.at += 5;
                        }
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        _ => return None,
                    }
                }
                ..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(&self.text[start..self.at])
    }

    fn number(&mut self) -> Option<Node<'t>> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Some(Node::Scalar(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &'static str) -> Option<Node<'t>> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())?;
        Some(Node::Scalar(word))
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// What a string says. A lone surrogate is no character: what two readers make of it may differ, so
/// the body is refused.
fn unescape(written: &str) -> Option<Cow<'_, str>> {
    if !written.contains('\\') {
        return Some(written.into());
    }
    let mut out = String::with_capacity(written.len());
    let mut units = Vec::new();
    let mut left = written.chars();
    loop {
        let next = left.next();
        let escaped = if next == Some('\\') { left.next() } else { None };
        if escaped == Some('u') {
            let digits: String = left.by_ref().take(4).collect();
            units.push(u16::from_str_radix(&digits, 16).ok()?);
            continue;
        }
        out.push_str(&String::from_utf16(&units).ok()?);
        units.clear();
        match (next, escaped) {
            (None, _) => return Some(out.into()),
            (_, Some('b')) => out.push('\x08'),
            (_, Some('f')) => out.push('\x0c'),
            (_, Some('n')) => out.push('\n'),
            (_, Some('r')) => out.push('\r'),
            (_, Some('t')) => out.push('\t'),
            (_, Some(other)) | (Some(other), None) => out.push(other),
        }
    }
}
