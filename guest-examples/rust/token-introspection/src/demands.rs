//! What an active token has to be good for.

use jose::Scopes;

use crate::server::Grant;

pub struct Demands {
    scopes: Scopes,
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
        Ok(Self { scopes: Scopes::required(scopes)?, audiences, issuers })
    }

    pub fn unmet(&self, grant: &Grant) -> Option<Unmet> {
        let is_issuer = |issuer: &String| grant.issuer.as_ref() == Some(issuer);
        if !self.issuers.is_empty() && !self.issuers.iter().any(is_issuer) {
            return Some(Unmet::Elsewhere);
        }
        if !self.audiences.is_empty() && !self.audiences.iter().any(|audience| grant.audiences.contains(audience)) {
            return Some(Unmet::Elsewhere);
        }
        (!self.scopes.are_in(&grant.scope)).then_some(Unmet::Scope)
    }

    /// As it stands in a challenge.
    pub fn scope(&self) -> String {
        self.scopes.joined()
    }
}
