//! The issuer's keys, fetched when they are needed and kept for all workers.
//!
//! Rule 1: what an instance has parsed is used as long as it is fresh. Rule 2: then what `kv` has,
//! which another worker may have fetched. Rule 3: only then are they fetched, by one at a time, and
//! while that fails the old ones serve on for a while. Rule 4: a token that names an unknown key
//! causes a fetch, but not more often than configured: anybody can make up such tokens.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sentinel_sdk::{clock, error, http, kv, warn};

use crate::KeySet;

/// Under this key: eight bytes, the time of the fetch in milliseconds since 1970, and the document.
/// Keys hold the URL: what another issuer published is never taken for this one's.
const STORED: &str = "jwks ";
/// Counts fetches; there is one at a time.
const FETCHING: &str = "fetch ";
/// There while nobody asks again after a failure.
const FAILED: &str = "failed ";
const PAUSE: Duration = Duration::from_secs(1);

/// An issuer's keys. It needs the grants `clock`, `http-client` and `kv`.
pub struct Remote {
    uri: String,
    fresh: Duration,
    refresh: Duration,
    stale: Duration,
    parsed: RefCell<Option<Fetched>>,
}

#[derive(Clone)]
struct Fetched {
    at: Duration,
    keys: Rc<KeySet>,
}

impl Remote {
    /// Keys at a URL: how long they are fresh, how much time is between two fetches because of
    /// unknown keys, and how long stale ones serve on.
    pub fn new(uri: String, [fresh, refresh, stale]: [Duration; 3]) -> Self {
        Self { uri, fresh, refresh, stale, parsed: RefCell::new(None) }
    }

    /// The keys; `None` if they cannot be had.
    pub fn keys(&self) -> Option<Rc<KeySet>> {
        let now = clock::wall();
        let parsed = self.parsed.borrow().clone();
        if let Some(parsed) = parsed.as_ref().filter(|parsed| is_within(parsed.at, now, self.fresh)) {
            return Some(parsed.keys.clone());
        }
        let stored = self.stored();
        if let Some(stored) = stored.as_ref().filter(|stored| is_within(stored.at, now, self.fresh)) {
            return Some(stored.keys.clone());
        }
        let is_shared = stored.is_some();
        let old = stored.or(parsed).filter(|old| is_within(old.at, now, self.fresh + self.stale));
        // While one fetches, the others use what there is.
        let has_to_wait = match old {
            Some(_) => is_shared && !self.may_fetch(),
            None => matches!(kv::get(self.key(FAILED)), Ok(Some(_))),
        };
        if has_to_wait {
            return old.map(|old| old.keys);
        }
        self.fetch().or(old).map(|fetched| fetched.keys)
    }

    /// The keys, if they can be newer than those that `keys` gave.
    pub fn newer_keys(&self) -> Option<Rc<KeySet>> {
        let used = self.parsed.borrow().as_ref().map(|parsed| parsed.at);
        let stored = self.stored().filter(|stored| Some(stored.at) > used);
        if stored.is_some() || !self.may_fetch() {
            return stored.map(|stored| stored.keys);
        }
        self.fetch().map(|fetched| fetched.keys)
    }

    /// Once in `refresh`, whoever of all workers asks. Nobody, when there is no telling.
    fn may_fetch(&self) -> bool {
        kv::add(self.key(FETCHING), 1, Some(self.refresh)) == Ok(1)
    }

    fn stored(&self) -> Option<Fetched> {
        let value = kv::get(self.key(STORED)).ok()??;
        let (at, document) = value.split_first_chunk::<8>()?;
        let at = Duration::from_millis(u64::from_le_bytes(*at));
        if let Some(parsed) = self.parsed.borrow().as_ref().filter(|parsed| parsed.at == at) {
            return Some(parsed.clone());
        }
        Some(self.keep(at, KeySet::fetched(document).ok()?))
    }

    fn fetch(&self) -> Option<Fetched> {
        let failed = |reason: &str| {
            error!("jwks_uri: {reason}");
            // Without `kv` every request asks.
            let _ = kv::set(self.key(FAILED), "", Some(PAUSE));
            None
        };
        let answer = match http::get(&self.uri).header("accept", "application/jwk-set+json, application/json").send() {
            Ok(answer) if answer.status() == 200 => answer,
            Ok(answer) => return failed(&format!("the answer's status is {}", answer.status())),
            Err(error) => return failed(&error.to_string()),
        };
        let keys = match KeySet::fetched(answer.body()) {
            Ok(keys) if keys.is_empty() => return failed("no key in the answer can be used"),
            Ok(keys) => keys,
            Err(reason) => return failed(&reason),
        };
        let at = clock::wall();
        let value = [&(at.as_millis() as u64).to_le_bytes(), answer.body()].concat();
        if let Err(error) = kv::set(self.key(STORED), value, Some(self.fresh + self.stale)) {
            warn!("jwks_uri: cannot keep the keys for the other workers: {error}");
        }
        Some(self.keep(Duration::from_millis(at.as_millis() as u64), keys))
    }

    fn keep(&self, at: Duration, keys: KeySet) -> Fetched {
        let fetched = Fetched { at, keys: Rc::new(keys) };
        *self.parsed.borrow_mut() = Some(fetched.clone());
        fetched
    }

    fn key(&self, what: &str) -> Vec<u8> {
        [what.as_bytes(), self.uri.as_bytes()].concat()
    }
}

/// The clock may have been set back meanwhile.
fn is_within(at: Duration, now: Duration, limit: Duration) -> bool {
    now.saturating_sub(at) < limit && at <= now + limit
}
