//! One line per request, a JSON object, when the request is over and whatever its outcome.

use std::fmt::Write;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(AccessLog))
    }
}

struct AccessLog;

impl Context for AccessLog {}

impl HttpContext for AccessLog {
    fn on_log(&mut self) {
        let mut line = Line(String::with_capacity(320));
        line.text("method", &["request", "method"]);
        line.text("path", &["request", "path"]);
        line.number("status", &["response", "code"], 1);
        line.number("bytes", &["response", "size"], 1);
        line.number("request_bytes", &["request", "size"], 1);
        line.number("duration_us", &["request", "duration"], 1000);
        line.text("request_id", &["request", "id"]);
        line.text("client", &["source", "address"]);
        line.text("route", &["xds", "route_name"]);
        line.text("upstream", &["xds", "cluster_name"]);
        line.number("flags", &["response", "flags"], 1);
        line.0.push('}');
        hostcalls::log(LogLevel::Info, &line.0).expect("a log that takes lines");
    }
}

/// A JSON object under construction: all but its closing brace. What Envoy has no value for is left
/// out.
struct Line(String);

impl Line {
    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn number(&mut self, name: &str, path: &[&str], unit: i64) {
        let Some(value) = property(path).and_then(|bytes| Some(i64::from_le_bytes(bytes.try_into().ok()?))) else {
            return;
        };
        self.name(name);
        write!(self.0, "{}", value / unit).expect("a String takes everything");
    }

    fn text(&mut self, name: &str, path: &[&str]) {
        let Some(value) = property(path) else { return };
        self.name(name);
        self.0.push('"');
        for character in String::from_utf8_lossy(&value).chars() {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                '\0'..='\x1f' => write!(self.0, "\\u{:04x}", u32::from(character)).expect("a String takes everything"),
                _ => self.0.push(character),
            }
        }
        self.0.push('"');
    }
}

fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}
