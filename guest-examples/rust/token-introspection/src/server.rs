//! The authorization server: what is asked, and what its answer means (RFC 7662, section 2).

use sentinel_sdk::http;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub struct Server {
    pub endpoint: String,
    pub authorization: Option<String>,
}

/// What the server says of a token.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
pub enum Verdict {
    Active(Grant),
    Refused,
}

/// Of an active token. What the server does not say is empty; `expires` is seconds since 1970.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
pub struct Grant {
    pub principal: String,
    /// Scopes with spaces between them.
    pub scope: String,
    pub audiences: Vec<String>,
    pub issuer: Option<String>,
    pub expires: Option<u64>,
}

impl Server {
    pub fn ask(&self, token: &[u8]) -> Result<Verdict, String> {
        let mut request = http::post(&self.endpoint, form(token))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send().map_err(|error| error.to_string())?;
        match answer.status() {
            200 => verdict(answer.body()).ok_or_else(|| "its answer is not what RFC 7662 says".into()),
            status => Err(format!("it answered {status}")),
        }
    }
}

fn verdict(body: &[u8]) -> Option<Verdict> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    if !answer.get("active")?.as_bool()? {
        return Some(Verdict::Refused);
    }
    let principal = answer.get("sub").or_else(|| answer.get("username"))?.as_str()?;
    // It becomes a header's value.
    if principal.is_empty() || principal.chars().any(char::is_control) {
        return None;
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(String::from);
    let audiences = match answer.get("aud") {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(String::from).collect(),
        _ => text("aud").into_iter().collect(),
    };
    Some(Verdict::Active(Grant {
        principal: principal.into(),
        scope: text("scope").unwrap_or_default(),
        audiences,
        issuer: text("iss"),
        expires: answer.get("exp").and_then(Value::as_u64),
    }))
}

/// `token=...`, percent-encoded where a form needs it; the characters of a token are few.
fn form(token: &[u8]) -> Vec<u8> {
    let mut form = b"token=".to_vec();
    for &byte in token {
        match byte {
            b'+' | b'/' | b'=' => form.extend(format!("%{byte:02X}").bytes()),
            _ => form.push(byte),
        }
    }
    form
}
