//! What the SDK's views show, as text: one line for each field in WIT order, an absent option left
//! out.

use std::fmt::{Display, Write};

use sentinel_sdk::{IncomingResponse, RequestHead, Summary};

#[derive(Default)]
struct Dump(String);

impl Dump {
    fn line(&mut self, name: &str, value: impl Display) {
        self.bytes(name, value.to_string().as_bytes());
    }

    fn option(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    fn header(&mut self, name: &str, value: &[u8]) {
        self.bytes("header", &[name.as_bytes(), b": ", value].concat());
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(name);
        self.0.push('=');
        for &byte in value {
            match byte {
                b'\\' | ..=0x1f | 0x7f.. => write!(self.0, "\\x{byte:02x}").expect("a String takes everything"),
                printable => self.0.push(printable.into()),
            }
        }
    }
}

pub fn request(head: &RequestHead) -> String {
    let mut dump = Dump::default();
    dump.line("method", head.method());
    dump.line("path", head.path());
    dump.option("query", head.query());
    for (name, value) in head.headers().iter() {
        dump.header(name, value);
    }
    dump.line("scheme", head.scheme());
    dump.line("authority", head.authority());
    dump.line("client", head.client());
    dump.line("request-id", head.request_id());
    dump.line("route", head.route());
    dump.line("http-version", head.http_version());
    dump.option(
        "client-certificate",
        head.client_certificate()
            .map(|shown| format!("{} {} {} {}", shown.subject, shown.names.join(","), shown.sha256, shown.verified)),
    );
    dump.0
}

pub fn response(response: &IncomingResponse) -> String {
    let mut dump = Dump::default();
    dump.line("status", response.status());
    for (name, value) in response.headers() {
        dump.header(name, value);
    }
    dump.line("origin", response.origin().as_str());
    dump.bytes("context", response.context_bytes());
    dump.0
}

pub fn summary(summary: &Summary) -> String {
    let mut dump = Dump::default();
    dump.line("request-id", summary.request_id);
    dump.line("method", summary.method);
    dump.line("path", summary.path);
    dump.option("query", summary.query);
    dump.line("route", summary.route);
    dump.line("authority", summary.authority);
    dump.line("client", summary.client);
    dump.line("http-version", summary.http_version);
    dump.line("started-at", summary.started_at);
    dump.line("duration", summary.duration);
    dump.line("status", summary.status);
    dump.line("request-bytes", summary.request_bytes);
    dump.line("response-bytes", summary.response_bytes);
    dump.line("outcome", summary.outcome.as_str());
    dump.line("origin", summary.origin.as_str());
    dump.option("upstream", summary.upstream);
    dump.option("upstream-duration", summary.upstream_duration);
    dump.option("endpoint", summary.endpoint);
    dump.line("tries", summary.tries);
    dump.bytes("context", summary.context_bytes());
    dump.0
}
