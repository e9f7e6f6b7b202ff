//! What the cookies hold.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Somebody who has logged in.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Session {
    /// Header fields for the upstream.
    #[serde(rename = "h")]
    pub headers: BTreeMap<String, String>,
    /// Whose it is.
    #[serde(rename = "s")]
    pub subject: String,
    /// When the login was, in seconds since 1970.
    #[serde(rename = "l")]
    pub logged_in: u64,
    /// When it has to be refreshed.
    #[serde(rename = "e")]
    pub ends: u64,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
}

/// A login that has begun.
#[derive(Debug, Deserialize, Serialize)]
pub struct Login {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    /// Path and query of the page that was asked for.
    pub target: String,
    pub begun: u64,
}

impl Session {
    /// Whether it is still good, and need not be refreshed.
    pub fn is_fresh(&self, now: Duration, lifetime: Duration) -> bool {
        now.as_secs() < self.ends && self.is_alive(now, lifetime)
    }

    /// Whether refreshing it is allowed.
    pub fn is_alive(&self, now: Duration, lifetime: Duration) -> bool {
        now.as_secs() < self.logged_in.saturating_add(lifetime.as_secs())
    }
}
