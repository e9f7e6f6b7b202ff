use sentinel_sdk::prelude::*;

/// A response that says what is wrong, and where.
pub fn refusal(status: u16, error: &str, offset: usize) -> Response {
    let mut body = String::from("{\"error\":\"");
    for character in error.chars() {
        match character {
            '"' | '\\' => body.extend(['\\', character]),
            '\0'..='\x1f' => body.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => body.push(character),
        }
    }
    body.push_str(&format!("\",\"offset\":{offset}}}"));
    Response::new(status).header("content-type", "application/json").body(body)
}
