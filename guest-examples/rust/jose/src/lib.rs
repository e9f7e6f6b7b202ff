//! JSON Web Tokens for guests: signatures (RFC 7515, 7518, 8037), keys (RFC 7517) and claims (RFC
//! 7519).
//!
//! Rule 1: a key says which algorithms it is for, and the token only which of those was used: no
//! key is ever taken for one of another kind (RFC 8725, section 3.1). Rule 2: keys that a token
//! brings along are ignored. Rule 3: there is no `none`.

mod algorithm;
mod claims;
mod key;
mod key_set;
mod remote;
mod scopes;
mod token;

pub use algorithm::Algorithm;
pub use base64ct;
pub use claims::{claim, holds_any, text_of, Claims, Rejection, Validation};
pub use key::Key;
pub use key_set::KeySet;
pub use remote::Remote;
pub use scopes::Scopes;
pub use token::Token;

#[cfg(test)]
mod tests;
