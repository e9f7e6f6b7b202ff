//! Lets a request pass if it has one of the configured API keys, and tells the upstream whose key
//! it was.

mod keys;

use std::collections::BTreeMap;

use sentinel_sdk::json;
use sentinel_sdk::prelude::*;

use crate::keys::Keys;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Each key and the principal that it belongs to.
    keys: BTreeMap<String, String>,
    /// Where the key is sent.
    #[serde(default = "default_header")]
    #[schema(default = "x-api-key")]
    header: HeaderName,
    /// Where the upstream finds the principal; what the client sent there is replaced.
    #[serde(default = "default_principal_header")]
    #[schema(default = "x-principal")]
    principal_header: HeaderName,
    /// The realm of the challenge.
    #[serde(default = "default_realm")]
    #[schema(default = "sentinel")]
    realm: String,
}

fn default_header() -> HeaderName {
    HeaderName::parse("x-api-key").expect("a header name")
}

fn default_principal_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

fn default_realm() -> String {
    "sentinel".into()
}

struct ApiKeyAuth {
    keys: Keys,
    header: HeaderName,
    challenge: String,
}

#[guest]
impl Guest for ApiKeyAuth {
    fn configure(config: Config) -> Result<Self, String> {
        // RFC 9110, section 5.6.4: within a quoted-string these two would need escapes.
        if config.realm.bytes().any(|byte| byte.is_ascii_control() || byte == b'"' || byte == b'\\') {
            return Err("realm: it cannot hold quotation marks, backslashes and control characters".into());
        }
        Ok(Self {
            keys: Keys::new(config.keys, &config.header, &config.principal_header)?,
            header: config.header,
            challenge: format!("ApiKey realm=\"{}\"", config.realm),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let headers = request.head().headers();
        let mut sent = headers.get_all(&self.header);
        let Some(key) = sent.next() else {
            return Err(refusal(401, "an API key is required").header("www-authenticate", &self.challenge));
        };
        // Which of two would count is a question that gateway and upstream could answer
        // differently.
        if sent.next().is_some() {
            return Err(refusal(403, "more than one API key was sent"));
        }
        let Some(edits) = self.keys.edits(key) else {
            return Err(refusal(403, "this API key is not accepted"));
        };
        request.edit_headers(edits);
        Ok(())
    }
}

fn refusal(status: u16, error: &str) -> Response {
    Response::new(status)
        .header("content-type", "application/json")
        .body(json::Object::new().string("error", error).into_string())
}

config_schema!(Config);
self_test!("self-test.json");
