//! A prefix of whole path segments.

use sentinel_sdk::prelude::*;
use sentinel_sdk::SchemaPart;
use serde::de::{Deserializer, Error};

/// `""` or `/segment` any number of times, never with a slash at the end.
#[derive(Default)]
pub struct Prefix(String);

impl Prefix {
    pub fn parse(prefix: &str) -> Result<Self, String> {
        if !prefix.starts_with('/') {
            return Err(format!("{prefix:?} does not begin with a slash"));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        // RFC 3986, section 3.3: pchar. Dot and empty segments would make paths that the gateway
        // refuses.
        let is_path_character = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@".contains(&byte);
        for segment in prefix.split('/').skip(1) {
            if matches!(segment, "" | "." | "..") || !segment.bytes().all(is_path_character) {
                return Err(format!("{prefix:?} has {segment:?} for a segment"));
            }
        }
        Ok(Self(prefix.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the prefix in `path`: nothing, or something that begins with a slash.
    pub fn strip_from<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl ConfigSchema for Prefix {
    const MEMBERS: &'static [SchemaPart] = String::MEMBERS;
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
