//! Tokens whose signature was right: most come again and again, and a signature costs a hundred
//! times what all the rest does.
//!
//! Rule: what is remembered is the signature alone. Claims are held to the clock, and to the
//! configuration, every time. A token that a fetched key has signed counts as long as that set of
//! keys is the one in use.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use jose::KeySet;
use sha2::{Digest, Sha256};

/// Beyond so many all are forgotten: at most a few MiB, for payloads as long as header fields can
/// be.
const MOST: usize = 128;

#[derive(Default)]
pub struct Seen(RefCell<BTreeMap<[u8; 32], Verified>>);

/// A payload, and the fetched keys that verified it; `None` for those of the configuration.
struct Verified {
    payload: Vec<u8>,
    keys: Option<Rc<KeySet>>,
}

pub type Id = [u8; 32];

/// What a token is known by.
pub fn id(token: &[u8]) -> Id {
    Sha256::digest(token).into()
}

impl Seen {
    /// The payload of a token that was verified with these fetched keys, or with those of the
    /// configuration.
    pub fn payload(&self, id: &Id, keys: Option<&Rc<KeySet>>) -> Option<Vec<u8>> {
        let seen = self.0.borrow();
        let verified = seen.get(id)?;
        let is_current = match (&verified.keys, keys) {
            (None, None) => true,
            (Some(then), Some(now)) => Rc::ptr_eq(then, now),
            _ => false,
        };
        is_current.then(|| verified.payload.clone())
    }

    pub fn remember(&self, id: Id, payload: &[u8], keys: Option<&Rc<KeySet>>) {
        let mut seen = self.0.borrow_mut();
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(id, Verified { payload: payload.into(), keys: keys.cloned() });
    }
}
