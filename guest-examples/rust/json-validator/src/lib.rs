//! Lets no request with a JSON body through unless the body is JSON, and has the keys that it must
//! have.

mod json;
mod report;

use sentinel_sdk::media_type;
use sentinel_sdk::prelude::*;

use crate::report::refusal;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JsonValidator {
    /// The largest body, which is held in memory; larger ones are answered 413.
    #[schema(default = 1048576, minimum = 1)]
    max_bytes: u32,
    /// Keys that the body must have, as an object; those of objects inside it do not count.
    required: Vec<String>,
}

impl Default for JsonValidator {
    fn default() -> Self {
        Self { max_bytes: 1024 * 1024, required: Vec::new() }
    }
}

#[guest]
impl Guest for JsonValidator {
    fn configure(config: Self) -> Result<Self, String> {
        match config.max_bytes {
            0 => Err("max_bytes: at least 1".into()),
            _ => Ok(config),
        }
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let headers = request.head().headers();
        if !headers.get_all("content-type").any(is_json) {
            return Ok(());
        }
        if headers.has_content_coding() {
            return Err(refusal(415, "an encoded body cannot be checked", 0).header("accept-encoding", "identity"));
        }
        request.buffer_body(self.max_bytes);
        // Clients name a type there too, and send no body.
        if matches!(request.method(), "GET" | "HEAD" | "DELETE" | "OPTIONS") {
            request.set_context_bytes("may be empty");
        }
        Ok(())
    }

    fn on_request_chunk(&self, chunk: &mut RequestChunk) -> Result<(), Response> {
        if chunk.bytes().is_empty() && !chunk.context_bytes().is_empty() {
            return Ok(());
        }
        json::check(chunk.bytes(), &self.required).map_err(|fault| refusal(422, &fault.error, fault.offset))
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let media_type = media_type(content_type);
    media_type == "application/json" || media_type.ends_with("+json")
}

config_schema!(JsonValidator);
self_test!("self-test.json");
