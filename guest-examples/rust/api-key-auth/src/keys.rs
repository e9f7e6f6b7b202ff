//! Looking up a key without telling by the time it takes how close a guess came.
//!
//! Rule 1: every key is compared, to the end of what was sent, whatever the others said. Rule 2:
//! time depends on what was sent and on the number of keys, both of which the sender knows or may
//! know, and not on where bytes differ. Rule 3: no message holds a key.

use std::collections::BTreeMap;

use sentinel_sdk::{equals_secret, HeaderEdits, HeaderName, HeaderValue};

/// Each key, and what changes about a request that has it.
pub struct Keys(Vec<(Box<[u8]>, HeaderEdits)>);

impl Keys {
    /// Keys that are sent in one header, and whose principals the upstream gets in another.
    pub fn new(
        principals: BTreeMap<String, String>,
        header: &HeaderName,
        principal_header: &HeaderName,
    ) -> Result<Self, String> {
        if principals.is_empty() {
            return Err("keys: at least one is needed".into());
        }
        let mut removal = HeaderEdits::new();
        removal.remove(header);
        let mut keys = Vec::with_capacity(principals.len());
        for (key, principal) in principals {
            if key.is_empty() {
                return Err("keys: a key is empty".into());
            }
            if principal.is_empty() {
                return Err("keys: a principal is empty".into());
            }
            let principal = HeaderValue::parse(&principal).map_err(|error| format!("keys: a principal: {error}"))?;
            let mut edits = removal.clone();
            edits.set(principal_header, principal);
            keys.push((key.into_bytes().into_boxed_slice(), edits));
        }
        Ok(Self(keys))
    }

    /// What changes about a request with the key that was sent.
    pub fn edits(&self, sent: &[u8]) -> Option<&HeaderEdits> {
        // The place of the match plus one, or 0. At most one key is equal to what was sent.
        let mut found = 0;
        for (place, (key, _)) in self.0.iter().enumerate() {
            found |= (place + 1) * usize::from(equals_secret(sent, key));
        }
        self.0.get(found.checked_sub(1)?).map(|(_, edits)| edits)
    }
}

#[cfg(test)]
mod tests {
    use sentinel_sdk::HeaderEdit;

    use super::*;

    fn keys(pairs: &[(&str, &str)]) -> Keys {
        let principals = pairs.iter().map(|&(key, principal)| (key.into(), principal.into())).collect();
        let name = |name| HeaderName::parse(name).unwrap();
        Keys::new(principals, &name("x-api-key"), &name("x-principal")).unwrap()
    }

    #[test]
    fn each_key_finds_its_principal() {
        let keys = keys(&[("a", "1"), ("ab", "2"), ("b", "3"), ("long-key", "4")]);
        for (key, principal) in [("a", "1"), ("ab", "2"), ("b", "3"), ("long-key", "4")] {
            let expected = [HeaderEdit::Remove("x-api-key"), HeaderEdit::Set("x-principal", principal.as_bytes())];
            assert_eq!(keys.edits(key.as_bytes()).unwrap().iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn nothing_else_is_accepted() {
        let keys = keys(&[("abc", "1")]);
        for sent in ["", "a", "ab", "abd", "abcd", "abc\0", "Abc"] {
            assert!(keys.edits(sent.as_bytes()).is_none(), "{sent:?}");
        }
    }
}
