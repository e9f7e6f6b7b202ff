//! What an active token has to be good for.

use crate::server::Grant;

pub struct Demands {
    scopes: Vec<String>,
    audiences: Vec<String>,
    issuers: Vec<String>,
}

/// Why an active token does not pass.
#[derive(Debug, PartialEq)]
pub enum Unmet {
    /// It is of another issuer, or for another audience.
    Elsewhere,
    /// It lacks a scope.
    Scope,
}

impl Demands {
    /// Refuses a scope that no token can have.
    pub fn new(scopes: Vec<String>, audiences: Vec<String>, issuers: Vec<String>) -> Result<Self, String> {
        match scopes.iter().find(|scope| !is_scope(scope)) {
            Some(scope) => Err(format!("required_scopes: {scope:?} is no scope")),
            None => Ok(Self { scopes, audiences, issuers }),
        }
    }

    pub fn unmet(&self, grant: &Grant) -> Option<Unmet> {
        let is_issuer = |issuer: &String| grant.issuer.as_ref() == Some(issuer);
        if !self.issuers.is_empty() && !self.issuers.iter().any(is_issuer) {
            return Some(Unmet::Elsewhere);
        }
        if !self.audiences.is_empty() && !self.audiences.iter().any(|audience| grant.audiences.contains(audience)) {
            return Some(Unmet::Elsewhere);
        }
        let has = |scope: &String| grant.scope.split(' ').any(|granted| granted == scope);
        (!self.scopes.iter().all(has)).then_some(Unmet::Scope)
    }

    /// As it stands in a challenge.
    pub fn scope(&self) -> String {
        self.scopes.join(" ")
    }
}

/// RFC 6749, section 3.3. What a quoted-string would have to escape is not in it.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
}
