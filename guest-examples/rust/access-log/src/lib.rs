//! One line per request, a JSON object, when the request is over and whatever its outcome.

use sentinel_sdk::log::{self, Level};
use sentinel_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "info")]
    level: Level,
}

fn info() -> Level {
    Level::Info
}

struct AccessLog {
    level: Level,
}

#[guest]
impl Guest for AccessLog {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self { level: config.level })
    }

    fn on_complete(&self, summary: &Summary) {
        log::write(self.level, &line(summary));
    }
}

fn line(summary: &Summary) -> String {
    let mut line = Line(String::with_capacity(320));
    line.text("{\"method\":", summary.method);
    line.text(",\"path\":", summary.path);
    if let Some(query) = summary.query {
        line.text(",\"query\":", query);
    }
    line.number(",\"status\":", summary.status.into());
    line.number(",\"bytes\":", summary.response_bytes);
    line.number(",\"request_bytes\":", summary.request_bytes);
    line.number(",\"duration_us\":", summary.duration);
    line.text(",\"request_id\":", summary.request_id);
    line.text(",\"client\":", summary.client);
    line.text(",\"route\":", summary.route);
    if let Some(upstream) = summary.upstream {
        line.text(",\"upstream\":", upstream);
    }
    line.text(",\"outcome\":", summary.outcome.as_str());
    line.0.push('}');
    line.0
}

/// A JSON object under construction. It is made for every request, hence without `format!`, which costs more than the
/// rest of the line.
struct Line(String);

impl Line {
    fn number(&mut self, name: &str, value: u64) {
        self.0.push_str(name);
        self.digits(value);
    }

    fn digits(&mut self, value: u64) {
        if value > 9 {
            self.digits(value / 10);
        }
        self.0.push(char::from(b'0' + (value % 10) as u8));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.0.push_str(name);
        self.0.push('"');
        if has_special(value.as_bytes()) {
            value.chars().for_each(|character| self.escaped(character));
        } else {
            self.0.push_str(value);
        }
        self.0.push('"');
    }

    fn escaped(&mut self, character: char) {
        match character {
            ..='\x1f' => self.0.push_str(&format!("\\u{:04x}", u32::from(character))),
            '"' | '\\' => self.0.extend(['\\', character]),
            _ => self.0.push(character),
        }
    }
}

/// Whether any byte must be escaped (RFC 8259, section 7), which is rare. All that must are ASCII.
fn has_special(text: &[u8]) -> bool {
    // Eight bytes at a time: one at a time, this takes longer than all the rest of the line.
    let mut words = text.chunks_exact(8);
    words.by_ref().any(|word| {
        let word = u64::from_ne_bytes(word.try_into().expect("eight bytes"));
        has_byte_below(word, b' ') || has_byte(word, b'"') || has_byte(word, b'\\')
    }) || words.remainder().iter().any(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')
}

const EACH: u64 = 0x0101_0101_0101_0101;

fn has_byte(word: u64, byte: u8) -> bool {
    has_byte_below(word ^ (EACH * u64::from(byte)), 1)
}

/// The subtraction sets the highest bit of the first byte that is below the limit, which is at most 128.
fn has_byte_below(word: u64, limit: u8) -> bool {
    word.wrapping_sub(EACH * u64::from(limit)) & !word & (EACH << 7) != 0
}
