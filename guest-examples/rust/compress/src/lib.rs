//! Compresses responses with gzip, brotli or zstd, as the client's `accept-encoding` says.

mod encoder;
mod negotiation;

use std::cell::RefCell;

use sentinel_sdk::media_type;
use sentinel_sdk::prelude::*;

use crate::encoder::Encoder;
use crate::negotiation::{choose, Coding};

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Codings in the order of preference among those that a client weighs alike: `br`, `gzip`,
    /// `zstd`. Left out: all of them in this order.
    encodings: Vec<Coding>,
    /// Media types to compress; `text/*` is every type that begins so, `*+json` every one that ends
    /// so. Left out: texts, JSON, XML, JavaScript, WebAssembly, SVG and fonts that are not
    /// compressed.
    types: Vec<String>,
    /// A response whose `content-length` is smaller is not compressed.
    #[schema(default = 1024)]
    min_length: u64,
    /// 1 for the fastest to 9 for the smallest. Brotli stops at 6, which is all that fits into 16
    /// MiB; zstd has one level.
    #[schema(default = 4, minimum = 1, maximum = 9)]
    level: u32,
}

const TYPES: [&str; 12] = [
    "text/*",
    "application/json",
    "*+json",
    "application/javascript",
    "application/x-javascript",
    "application/xml",
    "*+xml",
    "application/wasm",
    "application/x-ndjson",
    "font/ttf",
    "font/otf",
    "image/bmp",
];

impl Default for Config {
    fn default() -> Self {
        // Below a packet or so compression saves nothing: Traefik's `minResponseBodyBytes`.
        Self { encodings: Coding::ALL.into(), types: TYPES.map(Into::into).into(), min_length: 1024, level: 4 }
    }
}

struct Compress {
    encodings: Vec<Coding>,
    types: Vec<String>,
    min_length: u64,
    level: u32,
    /// An instance serves one body at a time, from its first chunk to its last.
    encoder: RefCell<Option<Encoder>>,
}

#[guest]
impl Guest for Compress {
    fn configure(config: Config) -> Result<Self, String> {
        if !(1..=9).contains(&config.level) {
            return Err("level: it is 1 to 9".into());
        }
        for (index, kind) in config.types.iter().enumerate() {
            let text = kind.trim_matches('*');
            if text.is_empty() || text.contains(['*', ';', ' ']) || (kind.starts_with('*') && kind.ends_with('*')) {
                return Err(format!(
                    "types[{index}]: {kind:?} is no media type, and no part of one with a * at one end"
                ));
            }
        }
        Ok(Self {
            encodings: config.encodings,
            types: config.types.iter().map(|kind| kind.to_ascii_lowercase()).collect(),
            min_length: config.min_length,
            level: config.level,
            encoder: RefCell::new(None),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        // The response to HEAD has no content.
        if request.method() != "HEAD" {
            let coding = choose(request.head().headers().get_all("accept-encoding"), &self.encodings);
            if let Some(place) = coding.and_then(|coding| Coding::ALL.iter().position(|each| *each == coding)) {
                request.set_context_bytes([place as u8]);
            }
        }
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        let head = *response.head();
        if !self.is_compressible(response) {
            return Ok(());
        }
        // Also of the form that is not compressed: a cache would give it to all.
        if !lists(head.headers().get_all("vary"), &["*", "accept-encoding"]) {
            response.append_header("vary", "Accept-Encoding");
        }
        // The forms have one tag, so none of them has a strong one.
        if let Some(tag) = head.header("etag").filter(|tag| !tag.starts_with(b"W/")) {
            response.set_header("etag", [b"W/", tag].concat());
        }
        let Some(coding) = self.coding(response.context_bytes()).filter(|_| head.status() != 304) else {
            return Ok(());
        };
        response.set_header("content-encoding", coding.name());
        // Ranges of what is compressed anew each time are not offered; digests are those of the
        // plain content.
        for name in ["accept-ranges", "content-digest", "repr-digest", "digest", "content-md5"] {
            if head.header(name).is_some() {
                response.remove_header(name);
            }
        }
        response.stream_body();
        Ok(())
    }

    fn on_response_chunk(&self, chunk: &mut ResponseChunk) -> Result<(), Response> {
        let mut current = self.encoder.borrow_mut();
        let coding = self.coding(chunk.context_bytes()).expect("on_response asked for a body to compress");
        let encoder = current.get_or_insert_with(|| Encoder::new(coding, self.level));
        let mut out = encoder.feed(chunk.bytes());
        if chunk.is_last() {
            out.extend(current.take().map(Encoder::finish).unwrap_or_default());
        }
        chunk.replace(out);
        Ok(())
    }
}

impl Compress {
    /// What `on_request` left: the coding's place in `Coding::ALL`.
    fn coding(&self, context: &[u8]) -> Option<Coding> {
        Coding::ALL.get(usize::from(*context.first()?)).copied()
    }

    /// Whether some client gets the response compressed.
    fn is_compressible(&self, response: &IncomingResponse) -> bool {
        let headers = response.head().headers();
        // 204 and 205 have no content, and 206 has a part of one.
        let status = response.status();
        if matches!(status, 204..=206) || headers.get("content-range").is_some() {
            return false;
        }
        // RFC 9111, section 5.2.2.6.
        if lists(headers.get_all("cache-control"), &["no-transform"]) {
            return false;
        }
        if headers.has_content_coding() {
            return false;
        }
        // A 304 need not say what it is about; its tag is then the one that was sent.
        if status == 304 && headers.get("content-type").is_none() {
            return true;
        }
        let length = headers.get("content-length").and_then(|text| std::str::from_utf8(text).ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length < self.min_length) && status != 304 {
            return false;
        }
        let mut kinds = headers.get_all("content-type");
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => self.has_type(&media_type(kind)),
            _ => false,
        }
    }

    fn has_type(&self, kind: &str) -> bool {
        // Each event goes out at once, and is small.
        kind != "text/event-stream"
            && self.types.iter().any(|wanted| match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
                (Some(end), _) => kind.ends_with(end),
                (_, Some(beginning)) => kind.starts_with(beginning),
                _ => kind == wanted,
            })
    }
}

/// Whether one of these names is a member of a list.
fn lists<'a>(values: impl Iterator<Item = &'a [u8]>, names: &[&str]) -> bool {
    let mut members = values.flat_map(|value| value.split(|&byte| byte == b','));
    members.any(|member| names.iter().any(|name| member.trim_ascii().eq_ignore_ascii_case(name.as_bytes())))
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
