//! Checking that a text is JSON (RFC 8259).
//!
//! Rule 1: a fault's offset is that of the first byte with which no JSON text can go on, or the
//!         text's length.
//! Rule 2: nothing recurses; what nests is a bit in a word.

use std::borrow::Cow;

/// RFC 8259, section 9, allows a limit; one bit a level.
const DEEPEST: u32 = u64::BITS;

#[derive(Debug, PartialEq)]
pub struct Fault {
    pub error: Cow<'static, str>,
    pub offset: usize,
}

/// Check that `text` is JSON, and, if keys are required, an object that has them.
pub fn check(text: &[u8], required: &[String]) -> Result<(), Fault> {
    let missing = required.iter().map(String::as_str).collect();
    Checker { text, at: 0, depth: 0, objects: 0, missing }.document()
}

struct Checker<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
    /// The open brackets, the innermost in the lowest bit: 1 for an object.
    objects: u64,
    /// The keys that the outermost object has yet to have.
    missing: Vec<&'a str>,
}

impl Checker<'_> {
    fn document(mut self) -> Result<(), Fault> {
        self.space();
        if !self.missing.is_empty() && self.peek() != Some(b'{') {
            return Err(self.fault("an object is expected"));
        }
        loop {
            let depth = self.depth;
            self.value()?;
            // What was opened and is not empty goes on with a value.
            if self.depth <= depth {
                self.after_value()?;
            }
            if self.depth == 0 {
                return Ok(());
            }
        }
    }

    /// What follows a value: up to the next value, or to the end.
    fn after_value(&mut self) -> Result<(), Fault> {
        while self.depth > 0 {
            self.space();
            let in_object = self.objects & 1 == 1;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                    return if in_object { self.key() } else { Ok(()) };
                }
                Some(b'}') if in_object => self.close()?,
                Some(b']') if !in_object => self.close()?,
                _ if in_object => return Err(self.fault("a comma or } is expected")),
                _ => return Err(self.fault("a comma or ] is expected")),
            }
        }
        self.space();
        if self.at < self.text.len() {
            return Err(self.fault("nothing is expected after the value"));
        }
        Ok(())
    }

    /// A whole value, or the beginning of an object or array that is not empty.
    fn value(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => {
                self.open(1)?;
                if self.peek() == Some(b'}') {
                    self.close()
                } else {
                    self.key()
                }
            }
            Some(b'[') => {
                self.open(0)?;
                if self.peek() == Some(b']') {
                    self.close()
                } else {
                    Ok(())
                }
            }
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(self.fault("a value is expected")),
        }
    }

    fn open(&mut self, object: u64) -> Result<(), Fault> {
        if self.depth == DEEPEST {
            return Err(self.fault("values may nest 64 levels deep"));
        }
        self.depth += 1;
        self.objects = self.objects << 1 | object;
        self.at += 1;
        self.space();
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        if let (1, Some(key)) = (self.depth, self.missing.first()) {
            return Err(Fault { error: format!("a key is missing: {key}").into(), offset: self.at });
        }
        self.depth -= 1;
        self.objects >>= 1;
        self.at += 1;
        Ok(())
    }

    /// A key, its colon, and the space up to the value.
    fn key(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault("a key is expected"));
        }
        let start = self.at + 1;
        self.string()?;
        if self.depth == 1 && !self.missing.is_empty() {
            let raw = std::str::from_utf8(&self.text[start..self.at - 1]).expect("string() checked it");
            self.missing.retain(|key| !spells(raw, key));
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.fault("a colon is expected"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(b' '..=b'\x7f') => self.at += 1,
                Some(b'\x80'..) => self.beyond_ascii()?,
                _ => return Err(self.fault("a control character must be escaped")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        let digits = match self.peek() {
            Some(b'u') => 4,
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            _ => return Err(self.fault("no such escape")),
        };
        self.at += 1;
        for _ in 0..digits {
            if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.fault("a hexadecimal digit is expected"));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// One character of UTF-8 (RFC 3629, section 4).
    fn beyond_ascii(&mut self) -> Result<(), Fault> {
        let (more, mut range) = match self.text[self.at] {
            0xc2..=0xdf => (1, 0x80..=0xbf),
            0xe0 => (2, 0xa0..=0xbf),
            0xed => (2, 0x80..=0x9f),
            0xe1..=0xef => (2, 0x80..=0xbf),
            0xf0 => (3, 0x90..=0xbf),
            0xf1..=0xf3 => (3, 0x80..=0xbf),
            0xf4 => (3, 0x80..=0x8f),
            _ => return Err(self.fault("this is not UTF-8")),
        };
        self.at += 1;
        for _ in 0..more {
            if !self.peek().is_some_and(|byte| range.contains(&byte)) {
                return Err(self.fault("this is not UTF-8"));
            }
            self.at += 1;
            range = 0x80..=0xbf;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.accept(b"-");
        if !self.accept(b"0") {
            self.digits()?;
        }
        if self.accept(b".") {
            self.digits()?;
        }
        if self.accept(b"eE") {
            self.accept(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !self.accept(b"0123456789") {
            return Err(self.fault("a digit is expected"));
        }
        while self.accept(b"0123456789") {}
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        for &byte in word {
            if !self.accept(&[byte]) {
                return Err(self.fault("a value is expected"));
            }
        }
        Ok(())
    }

    fn space(&mut self) {
        while self.accept(b" \t\n\r") {}
    }

    fn accept(&mut self, bytes: &[u8]) -> bool {
        let accepted = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(accepted);
        accepted
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault(&self, error: &'static str) -> Fault {
        let error = if self.at == self.text.len() { "the text ends too early" } else { error };
        Fault { error: error.into(), offset: self.at }
    }
}

/// Whether a string's inside, checked before, stands for `key`.
fn spells(raw: &str, key: &str) -> bool {
    if !raw.contains('\\') {
        return raw == key;
    }
    // Escapes name units of UTF-16.
    let mut units = Vec::new();
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
            continue;
        }
        units.push(match rest.next() {
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some('n') => 0x0a,
            Some('r') => 0x0d,
            Some('t') => 0x09,
            Some('u') => (0..4)
                .fold(0, |unit, _| unit << 4 | rest.next().and_then(|digit| digit.to_digit(16)).unwrap_or(0) as u16),
            other => other.map_or(0, |same| same as u16),
        });
    }
    key.encode_utf16().eq(units)
}
