//! Lets a request pass with a user's name and password (RFC 7617), and tells the upstream whose
//! they were.

mod hash;
mod users;

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use sentinel_sdk::json;
use sentinel_sdk::prelude::*;

use crate::users::Users;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Each user's name and the hash of the password: `$2b$...` of bcrypt or `$argon2id$...`.
    #[schema(min_properties = 1)]
    users: BTreeMap<String, String>,
    /// The realm of the challenge.
    #[serde(default = "default_realm")]
    #[schema(default = "sentinel")]
    realm: String,
    /// Where the upstream finds the user's name; what the client sent there is removed.
    #[serde(default = "default_principal_header")]
    #[schema(default = "x-principal")]
    principal_header: HeaderName,
    /// Whether the upstream gets name and password, too.
    #[serde(default)]
    #[schema(default = false)]
    forward: bool,
}

fn default_realm() -> String {
    "sentinel".into()
}

fn default_principal_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

struct BasicAuth {
    users: Users,
    challenge: String,
    principal_header: HeaderName,
    forward: bool,
}

#[guest]
impl Guest for BasicAuth {
    fn configure(config: Config) -> Result<Self, String> {
        // RFC 9110, section 5.6.4: within a quoted-string these two would need escapes.
        if config.realm.bytes().any(|byte| byte.is_ascii_control() || byte == b'"' || byte == b'\\') {
            return Err("realm: it cannot hold quotation marks, backslashes and control characters".into());
        }
        Ok(Self {
            users: Users::new(config.users)?,
            challenge: format!("Basic realm=\"{}\", charset=\"UTF-8\"", config.realm),
            principal_header: config.principal_header,
            forward: config.forward,
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let mut sent = request.head().headers().get_all("authorization");
        let Some(value) = sent.next() else {
            return Err(self.challenge("a name and a password are required"));
        };
        if sent.next().is_some() {
            return Err(refusal(400, "more than one authorization was sent"));
        }
        let credentials = credentials(value).ok_or_else(|| self.challenge("a name and a password are required"))?;
        let at = credentials.iter().position(|&byte| byte == b':').expect("it was looked for");
        let Some(name) = self.users.check(&credentials[..at], &credentials[at + 1..]) else {
            return Err(self.challenge("the name or the password is wrong"));
        };
        request.set_header(&self.principal_header, name);
        if !self.forward {
            request.remove_header("authorization");
        }
        Ok(())
    }
}

impl BasicAuth {
    fn challenge(&self, reason: &str) -> Response {
        refusal(401, reason).header("www-authenticate", &self.challenge)
    }
}

/// `NAME:PASSWORD` of `Basic BASE64`, whatever the scheme's case.
fn credentials(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let encoded = std::str::from_utf8(encoded.trim_ascii_start()).ok()?;
    Base64::decode_vec(encoded).ok().filter(|credentials| credentials.contains(&b':'))
}

fn refusal(status: u16, reason: &str) -> Response {
    Response::new(status)
        .header("content-type", "application/json")
        .body(json::Object::new().string("error", reason).into_string())
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
