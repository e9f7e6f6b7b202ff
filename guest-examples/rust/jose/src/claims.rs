//! What a token claims, and whether it holds now and here (RFC 7519, section 4.1).

use std::time::Duration;

use serde_json::{Map, Value};

/// The claims of a token whose signature was verified.
pub type Claims = Map<String, Value>;

/// What is demanded of the claims.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// `iss` has to be one of these; empty is any.
    pub issuers: Vec<String>,
    /// `aud` has to be or to hold one of these; empty is any.
    pub audiences: Vec<String>,
    /// These have to be there.
    pub required: Vec<String>,
    /// How far the clocks may be apart.
    pub leeway: Duration,
}

/// Why a token is not accepted: text for whoever sent it.
pub type Rejection = &'static str;

impl Validation {
    /// The claims in a payload, if they hold at this time since 1970.
    ///
    /// # Errors
    /// The reason.
    pub fn claims(&self, payload: &[u8], now: Duration) -> Result<Claims, Rejection> {
        let Ok(Value::Object(claims)) = serde_json::from_slice(payload) else {
            return Err("the token holds no claims");
        };
        if self.required.iter().any(|name| claim(&claims, name).is_none()) {
            return Err("the token lacks a claim");
        }
        let (now, leeway) = (now.as_secs_f64(), self.leeway.as_secs_f64());
        if time(&claims, "exp")?.is_some_and(|expires| now >= expires + leeway) {
            return Err("the token has expired");
        }
        if time(&claims, "nbf")?.is_some_and(|begins| now < begins - leeway) {
            return Err("the token is not valid yet");
        }
        if time(&claims, "iat")?.is_some_and(|issued| now < issued - leeway) {
            return Err("the token was issued in the future");
        }
        let issuer = claims.get("iss").and_then(Value::as_str);
        if !self.issuers.is_empty() && !self.issuers.iter().any(|known| Some(known.as_str()) == issuer) {
            return Err("the token is of another issuer");
        }
        if !self.audiences.is_empty() && !holds_any(claims.get("aud"), &self.audiences) {
            return Err("the token is for another audience");
        }
        Ok(claims)
    }
}

/// A claim by its name; dots lead into objects where the whole name is none.
pub fn claim<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value).filter(|value| !value.is_null());
    }
    let (outer, inner) = name.split_once('.')?;
    claim(claims.get(outer)?.as_object()?, inner)
}

/// A claim as a header's value: text, numbers and booleans as they are, lists with commas. `None`
/// for what cannot be one, such as text with control characters, or a list whose elements hold
/// commas.
pub fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Array(elements) => {
            let texts: Option<Vec<String>> = elements.iter().filter(|each| !each.is_array()).map(text_of).collect();
            let texts = texts?;
            if texts.len() != elements.len() || texts.iter().any(|text| text.contains(',')) {
                return None;
            }
            texts.join(",")
        }
        Value::Null | Value::Object(_) => return None,
    };
    (!text.chars().any(char::is_control) && text.trim() == text).then_some(text)
}

/// Whether a claim is one of these texts, or a list that holds one.
pub fn holds_any(value: Option<&Value>, wanted: &[String]) -> bool {
    let is_wanted = |text: &str| wanted.iter().any(|each| each == text);
    match value {
        Some(Value::String(text)) => is_wanted(text),
        Some(Value::Array(elements)) => elements.iter().filter_map(Value::as_str).any(is_wanted),
        _ => false,
    }
}

/// A NumericDate, which may have a fraction.
fn time(claims: &Claims, name: &str) -> Result<Option<f64>, Rejection> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or("a time of the token is no number"),
    }
}
