//! One line per request, a JSON object, when the request is over and whatever its outcome.

use std::fmt::Write;

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
    line.text("method", summary.method);
    line.text("path", summary.path);
    if let Some(query) = summary.query {
        line.text("query", query);
    }
    line.number("status", summary.status.into());
    line.number("bytes", summary.response_bytes);
    line.number("request_bytes", summary.request_bytes);
    line.number("duration_us", summary.duration);
    line.text("request_id", summary.request_id);
    line.text("client", summary.client);
    line.text("route", summary.route);
    if let Some(upstream) = summary.upstream {
        line.text("upstream", upstream);
    }
    line.text("outcome", summary.outcome.as_str());
    line.0.push('}');
    line.0
}

/// A JSON object under construction: all but its closing brace.
struct Line(String);

impl Line {
    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        write!(self.0, "{value}").expect("a String takes everything");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        let mut rest = value;
        // RFC 8259, section 7: these must be escaped, and nothing else. All are ASCII, so looking at bytes is enough.
        while let Some(place) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            let (plain, special) = rest.split_at(place);
            self.0.push_str(plain);
            match special.as_bytes()[0] {
                control @ ..=0x1f => write!(self.0, "\\u{control:04x}").expect("a String takes everything"),
                special => self.0.extend(['\\', char::from(special)]),
            }
            rest = &special[1..];
        }
        self.0.push_str(rest);
        self.0.push('"');
    }
}
