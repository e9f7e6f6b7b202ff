//! A set of keys (RFC 7517, section 5).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::key::Jwk;
use crate::{Algorithm, Key};

/// So many keys are tried at most for a token that names none: each costs a signature.
const TRIED: usize = 8;

/// The keys of an issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// These keys.
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// A JSON Web Key Set that an operator wrote: an error names the key that is not right.
    ///
    /// # Errors
    /// A message.
    pub fn configured(json: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(json).map_err(|_| "it is not a JSON Web Key Set")?;
        let mut keys = Vec::new();
        for (place, member) in document.keys.iter().enumerate() {
            let jwk: Jwk = serde_json::from_str(member.get()).map_err(|_| format!("keys[{place}] is not a key"))?;
            keys.extend(Key::from_jwk(jwk).map_err(|reason| format!("keys[{place}]: {reason}"))?);
        }
        Ok(Self(keys))
    }

    /// A JSON Web Key Set that was fetched. Keys that are broken or unknown are left out, as RFC
    /// 7517 says, and so are secrets: what anybody may fetch is none.
    ///
    /// # Errors
    /// If it is no key set.
    pub fn fetched(json: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(json).map_err(|_| "it is not a JSON Web Key Set")?;
        let jwks = document.keys.iter().filter_map(|member| serde_json::from_str(member.get()).ok());
        let keys = jwks.filter_map(|jwk| Key::from_jwk(jwk).ok().flatten());
        Ok(Self(keys.filter(|key| !key.is_secret()).collect()))
    }

    /// Add the keys of another set.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// The keys that may have made a signature: those with the token's `kid`, or without one all
    /// that have the right kind, a few at most.
    pub fn candidates<'a>(&'a self, id: Option<&'a str>, algorithm: Algorithm) -> impl Iterator<Item = &'a Key> {
        let named = move |key: &&Key| id.is_none() || key.id() == id || key.id().is_none();
        self.0.iter().filter(named).filter(move |key| key.is_for(algorithm)).take(TRIED)
    }
}
