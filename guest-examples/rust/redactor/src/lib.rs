//! Masks long runs of digits, and configured words, in responses that are text; also those that lie
//! across chunks.

mod byte_set;
mod mask;
mod words;

use std::cell::RefCell;

use sentinel_sdk::media_type;
use sentinel_sdk::prelude::*;

use crate::mask::Mask;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// What each masked byte becomes: one printable character of ASCII.
    #[schema(default = "*", min_length = 1, max_length = 1)]
    mask: String,
    /// A run of at least so many digits is masked; 0 masks none.
    #[schema(default = 13, maximum = 64)]
    digits: usize,
    /// Texts that are masked wherever they occur, also within words; at most 1,024 bytes together.
    words: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        // The shortest card numbers have 13 digits (ISO/IEC 7812).
        Self { mask: "*".into(), digits: 13, words: Vec::new() }
    }
}

struct Redactor {
    /// An instance serves one body at a time, from its first chunk to its last.
    mask: RefCell<Mask>,
}

#[guest]
impl Guest for Redactor {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self { mask: RefCell::new(Mask::new(&config.mask, config.digits, &config.words)?) })
    }

    /// What the upstream compresses, or cuts into ranges, could not be read.
    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        request.set_header("accept-encoding", "identity");
        request.remove_header("range");
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        let headers = response.head().headers();
        if !headers.get_all("content-type").any(is_text) {
            return Ok(());
        }
        if headers.has_content_coding() {
            warn!("an encoded response passes unmasked");
        } else {
            response.stream_body();
        }
        Ok(())
    }

    fn on_response_chunk(&self, chunk: &mut ResponseChunk) -> Result<(), Response> {
        if let Some(masked) = self.mask.borrow_mut().feed(chunk.bytes(), chunk.is_last()) {
            chunk.replace(masked);
        }
        Ok(())
    }
}

fn is_text(content_type: &[u8]) -> bool {
    let media_type = media_type(content_type);
    media_type.starts_with("text/") || ["/json", "+json", "/xml", "+xml"].iter().any(|end| media_type.ends_with(end))
}

config_schema!(Config);
self_test!("self-test.json");
