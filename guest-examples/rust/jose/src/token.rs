//! A signed token in the compact serialization (RFC 7515, section 7.1).

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::{Algorithm, Key};

/// A token whose signature nobody has looked at yet.
#[derive(Debug)]
pub struct Token<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Option<String>,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// Of a member that is there twice, this is an error (RFC 7515, section 4).
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// Whether it is there, whatever it holds.
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> Token<'a> {
    /// The parts of a token; `None` if it is not one, or one that cannot be verified here: `none`,
    /// unknown algorithms, and extensions that must be understood.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let header: Header = serde_json::from_slice(&Base64UrlUnpadded::decode_vec(header).ok()?).ok()?;
        if header.crit {
            return None;
        }
        Some(Self {
            algorithm: Algorithm::parse(&header.alg)?,
            key_id: header.kid,
            kind: header.typ,
            signed,
            payload,
            signature: Base64UrlUnpadded::decode_vec(signature).ok()?,
        })
    }

    /// Its `alg`.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its `kid`: which of the issuer's keys it names.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether its `typ` is one of these, such as `at+jwt`: media types without `application/` (RFC
    /// 7515, section 4.1.9).
    pub fn is_one_of(&self, kinds: &[String]) -> bool {
        let kind = self.kind.as_deref().map(short);
        kind.is_some_and(|kind| kinds.iter().any(|wanted| short(wanted).eq_ignore_ascii_case(kind)))
    }

    /// The payload if one of these keys made the signature.
    pub fn verified<'k>(&self, mut keys: impl Iterator<Item = &'k Key>) -> Option<Vec<u8>> {
        let verifies = |key: &Key| key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature);
        keys.any(verifies).then(|| Base64UrlUnpadded::decode_vec(self.payload).ok())?
    }
}

fn short(kind: &str) -> &str {
    match kind.split_at_checked(12) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => kind,
    }
}
