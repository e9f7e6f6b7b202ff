use sentinel_sdk::json;
use sentinel_sdk::prelude::*;

/// A response that says what is wrong, and where.
pub fn refusal(status: u16, error: &str, offset: usize) -> Response {
    let body = json::Object::new().string("error", error).number("offset", offset as u64);
    Response::new(status).header("content-type", "application/json").body(body.into_string())
}
