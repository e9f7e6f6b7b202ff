//! Who may pass.
//!
//! Rule 1: a wrong name takes the time of a wrong password: a password is always hashed. Rule 2:
//! browsers send the password with each request, so one that was right is remembered, as a keyed
//! digest, and hashed once for each instance. The key is the stored hash: a digest is worth nothing
//! to anybody who does not have that already.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sentinel_sdk::HeaderValue;
use sha2::Sha256;

use crate::hash::Hash;

pub struct Users(BTreeMap<Box<[u8]>, User>);

struct User {
    name: HeaderValue,
    hash: Hash,
    seen: Seen,
}

/// The digest of the password that was right.
struct Seen {
    key: Hmac<Sha256>,
    digest: RefCell<Option<[u8; 32]>>,
}

impl Users {
    pub fn new(hashes: BTreeMap<String, String>) -> Result<Self, String> {
        if hashes.is_empty() {
            return Err("users: at least one is needed".into());
        }
        let mut users = BTreeMap::new();
        for (name, text) in hashes {
            // RFC 7617, section 2: the first colon ends the name.
            if name.is_empty() || name.contains(':') {
                return Err("users: a name is empty or holds a colon".into());
            }
            let hash = Hash::parse(&text).map_err(|reason| format!("users: {name}: {reason}"))?;
            let header = HeaderValue::parse(&name).map_err(|error| format!("users: a name: {error}"))?;
            let key = Hmac::new_from_slice(text.as_bytes()).expect("HMAC takes keys of every length");
            let seen = Seen { key, digest: RefCell::new(None) };
            users.insert(name.into_bytes().into(), User { name: header, hash, seen });
        }
        Ok(Self(users))
    }

    /// The name, if it is this user's password.
    pub fn check(&self, name: &[u8], password: &[u8]) -> Option<&HeaderValue> {
        let Some(user) = self.0.get(name) else {
            // Somebody's, so that it takes as long.
            self.0.values().next()?.hash.is_of(password);
            return None;
        };
        if user.seen.was(password) {
            return Some(&user.name);
        }
        if !user.hash.is_of(password) {
            return None;
        }
        user.seen.remember(password);
        Some(&user.name)
    }
}

impl Seen {
    fn was(&self, password: &[u8]) -> bool {
        let digest = *self.digest.borrow();
        digest.is_some_and(|digest| self.key.clone().chain_update(password).verify_slice(&digest).is_ok())
    }

    fn remember(&self, password: &[u8]) {
        let digest = self.key.clone().chain_update(password).finalize().into_bytes();
        *self.digest.borrow_mut() = Some(digest.into());
    }
}
