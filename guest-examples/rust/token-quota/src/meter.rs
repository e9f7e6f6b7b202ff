//! Counts one answer's tokens while it passes: a stream of events, or a whole document.

use crate::usage::{Count, Usage};

/// The longest line of a stream, and the longest document, that is looked at. A guest has 16 MiB.
const LONGEST: usize = 1 << 20;
/// What a token takes in text, roughly: OpenAI's rule of thumb for English.
const BYTES_PER_TOKEN: u64 = 4;

#[derive(Default)]
pub struct Meter {
    usage: Usage,
    is_told: bool,
    is_stream: Option<bool>,
    /// What came since the last line's end, or the document so far.
    pending: Vec<u8>,
    /// The line or document is longer than what is looked at.
    is_cut: bool,
    events: u64,
    bytes: u64,
    /// What has been charged.
    pub charged: u64,
}

impl Meter {
    pub fn feed(&mut self, chunk: &[u8], is_last: bool) {
        self.bytes += chunk.len() as u64;
        let is_stream = self.is_stream.or_else(|| {
            let first = chunk.iter().find(|byte| !byte.is_ascii_whitespace())?;
            Some(!b"{[".contains(first))
        });
        self.is_stream = is_stream;
        if is_stream == Some(true) {
            for line in chunk.split_inclusive(|&byte| byte == b'\n' || byte == b'\r') {
                self.keep(line);
                if line.ends_with(b"\n") || line.ends_with(b"\r") {
                    self.end_line();
                }
            }
        } else {
            self.keep(chunk);
        }
        if is_last {
            if is_stream == Some(true) {
                self.end_line();
            } else if !self.is_cut {
                let document = std::mem::take(&mut self.pending);
                self.read(&document);
            }
        }
    }

    /// Tokens so far: what the API said, or an estimate until it says something.
    pub fn tokens(&self, count: Count) -> u64 {
        if self.is_told {
            return self.usage.count(count);
        }
        match (count, self.is_stream) {
            // An event usually carries one token.
            (Count::Total | Count::Output, Some(true)) => self.events,
            (Count::Total | Count::Output, _) => self.bytes / BYTES_PER_TOKEN,
            (Count::Input, _) => 0,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.pending.len() + bytes.len() > LONGEST {
            self.is_cut = true;
            self.pending = Vec::new();
        } else if !self.is_cut {
            self.pending.extend(bytes);
        }
    }

    /// An event's data is usually one line (WHATWG HTML, section 9.2.6), and is taken for one.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.pending);
        let is_cut = std::mem::take(&mut self.is_cut);
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = data.trim_ascii();
        if is_cut || data == b"[DONE]" || data.is_empty() {
            return;
        }
        self.events += 1;
        // Most events say nothing about it, and need not be parsed.
        if data.windows(5).any(|part| part == b"usage") {
            self.read(data);
        }
    }

    /// Gemini answers with a list of documents, unless it is asked for events.
    fn read(&mut self, json: &[u8]) {
        let list = serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(json);
        match list {
            Ok(documents) => {
                for document in documents {
                    self.is_told |= self.usage.read(document.get().as_bytes());
                }
            }
            Err(_) => self.is_told |= self.usage.read(json),
        }
    }
}
