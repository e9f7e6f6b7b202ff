//! What a token permits, by its scopes.

use serde_json::Value;

use crate::claims::Claims;

/// Scopes that a token has to have, all of them.
#[derive(Debug)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// # Errors
    /// A text that is no scope, which no token could have (RFC 6749, section 3.3).
    pub fn required(scopes: Vec<String>) -> Result<Self, String> {
        match scopes.iter().find(|scope| !is_scope(scope)) {
            Some(scope) => Err(format!("required_scopes: {scope:?} is no scope")),
            None => Ok(Self(scopes)),
        }
    }

    /// Whether these are among a token's scopes, which have spaces between them.
    pub fn are_in(&self, granted: &str) -> bool {
        self.0.iter().all(|scope| granted.split(' ').any(|each| each == scope))
    }

    /// Whether a token claims these: in `scope` (RFC 9068, section 2.2.3), or in `scp`, where other
    /// issuers have them. Either may be a list.
    pub fn are_claimed(&self, claims: &Claims) -> bool {
        let holds = |value: &Value| match value {
            Value::String(text) => self.are_in(text),
            Value::Array(list) => self.0.iter().all(|scope| list.iter().any(|each| each.as_str() == Some(scope))),
            _ => false,
        };
        self.0.is_empty() || ["scope", "scp"].iter().filter_map(|name| claims.get(*name)).any(holds)
    }

    /// As a challenge lists them.
    pub fn joined(&self) -> String {
        self.0.join(" ")
    }
}

/// What a quoted-string would have to escape is not in it.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
}
