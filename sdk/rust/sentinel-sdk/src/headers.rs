//! Header fields as they arrived, and names and values that were checked.

use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error};

use crate::text::{same, utf8};
use crate::wire::{Malformed, Reader};

const AS_AGREED: &str = "the host's headers are as the contract says";

/// The header fields of a message as they arrived, in order. They are decoded as they are looked
/// at.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    count: u32,
    reader: Reader<'a>,
}

impl<'a> Headers<'a> {
    /// Read the array's header, and leave `reader` at the first field.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = reader.array()?;
        Ok(Self { count, reader: *reader })
    }

    /// Fields that this crate has encoded, one after the other.
    pub(crate) fn of(count: u32, encoded: &'a [u8]) -> Self {
        Self { count, reader: Reader::new(encoded) }
    }

    /// Where the fields end.
    pub(crate) fn end(&self) -> Result<Reader<'a>, Malformed> {
        let mut reader = self.reader;
        reader.skip(self.count)?;
        Ok(reader)
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value of the first field of that name, whatever its case.
    #[inline(always)]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.get_all(name).next()
    }

    /// The values of all fields of that name, whatever its case, in order.
    #[inline(always)]
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        Values { left: self.count, reader: self.reader, name }
    }

    /// Whether the content has a coding, such as `gzip`, by `content-encoding`: then its bytes are
    /// not what its type says.
    pub fn has_content_coding(&self) -> bool {
        self.get_all("content-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
    }

    /// Every field's name, in lower case, and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.raw().map(|(name, value)| (utf8(name).expect("a header's name is a token"), value))
    }

    fn raw(&self) -> RawHeaders<'a> {
        RawHeaders { left: self.count, reader: self.reader }
    }
}

/// The values of the fields of one name.
struct Values<'a, 'n> {
    left: u32,
    reader: Reader<'a>,
    name: &'n str,
}

impl<'a> Iterator for Values<'a, '_> {
    type Item = &'a [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let found = find(self.left, self.reader, self.name);
        (self.left, self.reader) = (found.left, found.reader);
        found.value
    }
}

struct Found<'a> {
    value: Option<&'a [u8]>,
    left: u32,
    reader: Reader<'a>,
}

/// The next field of that name. It gets the place and returns the one behind the field: a reference
/// would keep it in memory, and not in registers.
#[inline(never)]
fn find<'a>(mut left: u32, mut reader: Reader<'a>, name: &str) -> Found<'a> {
    while left > 0 {
        left -= 1;
        let (field, value) = reader.field().expect(AS_AGREED);
        if same_name(field, name) {
            return Found { value: Some(value), left, reader };
        }
    }
    Found { value: None, left, reader }
}

fn same_name(field: &[u8], name: &str) -> bool {
    // Fields arrive in lower case, and that is how nearly every name is written.
    same(field, name.as_bytes()) || field.eq_ignore_ascii_case(name.as_bytes())
}

struct RawHeaders<'a> {
    left: u32,
    reader: Reader<'a>,
}

impl<'a> Iterator for RawHeaders<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.reader.field().expect(AS_AGREED))
    }
}

/// The media type in a `content-type`, in lower case and without parameters: `text/html` of
/// `Text/HTML; charset=utf-8`.
pub fn media_type(content_type: &[u8]) -> String {
    let end = content_type.iter().position(|byte| b"; \t".contains(byte)).unwrap_or(content_type.len());
    String::from_utf8_lossy(&content_type[..end]).to_ascii_lowercase()
}

/// Fields that the gateway writes itself; see `header-edit` in `wit/types.wit`.
const OWNED: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "host",
];

/// A header's name that the gateway accepts in an edit, in lower case. In a configuration it is a
/// string of any case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderName(String);

impl HeaderName {
    /// Check that `name` is a token (RFC 9110, section 5.1) and not a field that the gateway owns,
    /// and lower its case.
    ///
    /// # Errors
    /// A message that names it.
    pub fn parse(name: &str) -> Result<Self, String> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("{name:?} is not a header name"));
        }
        let name = name.to_ascii_lowercase();
        if OWNED.contains(&name.as_str()) {
            return Err(format!("the header {name:?} belongs to the gateway"));
        }
        Ok(Self(name))
    }
}

impl Deref for HeaderName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for HeaderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A header's value that the gateway accepts in an edit: text without control characters other than
/// tab.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderValue(String);

impl HeaderValue {
    /// Check that `value` holds no control character but tab.
    ///
    /// # Errors
    /// A message, which leaves the value out: it may be a secret.
    pub fn parse(value: &str) -> Result<Self, String> {
        if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err("a header's value cannot hold control characters".into());
        }
        Ok(Self(value.into()))
    }
}

impl Deref for HeaderValue {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for HeaderValue {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de> Deserialize<'de> for HeaderValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
