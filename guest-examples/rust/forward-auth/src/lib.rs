//! Asks another service whether a request passes: a 2xx answer lets it, any other one is the
//! client's answer.

use std::time::Duration;

use sentinel_sdk::prelude::*;
use sentinel_sdk::{http, json};

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The URL of the service that decides.
    address: String,
    /// Header fields of the request that the service gets. Left out: all.
    #[serde(default)]
    auth_request_headers: Vec<HeaderName>,
    /// Header fields of the service's answer that the upstream gets; what the client sent under
    /// these names is removed.
    #[serde(default)]
    auth_response_headers: Vec<HeaderName>,
    /// Names of cookies of the service's answer that the client gets with the response.
    #[serde(default)]
    add_auth_cookies_to_response: Vec<String>,
    /// Whether the service is asked with the request's method; otherwise it is GET.
    #[serde(default)]
    #[schema(default = false)]
    preserve_request_method: bool,
    /// Milliseconds that the service may take; never longer than the guest's `http.timeout`.
    #[serde(default)]
    #[schema(minimum = 1)]
    timeout: Option<u32>,
    /// The answer's status when the service cannot be asked.
    #[serde(default = "default_status_on_error")]
    #[schema(default = 503, minimum = 400, maximum = 599)]
    status_on_error: u16,
}

fn default_status_on_error() -> u16 {
    503
}

struct ForwardAuth(Config);

/// Fields of a message that belong to a connection or to its body, and those that the gateway
/// refuses in an edit.
const NOT_COPIED: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "date",
];

/// What the service is told of the request; a client's own fields of these names are not passed on.
const TOLD: [&str; 5] =
    ["x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri", "x-forwarded-for"];

/// Where some services look for the same. A client's own fields of these names are passed on only
/// if they are listed: it would say of `/admin` that it had asked for something else.
const LISTED_ONLY: [&str; 5] =
    ["x-original-url", "x-original-uri", "x-original-method", "x-rewrite-url", "x-auth-request-redirect"];

#[guest]
impl Guest for ForwardAuth {
    fn configure(config: Config) -> Result<Self, String> {
        if !(config.address.starts_with("http://") || config.address.starts_with("https://")) {
            return Err("address: it begins with http:// or https://".into());
        }
        if !(400..=599).contains(&config.status_on_error) {
            return Err("status_on_error: it is 400 to 599".into());
        }
        Ok(Self(config))
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let answer = self.question(request).send().map_err(|error| {
            error!("address: {error}");
            Response::new(self.0.status_on_error)
                .header("content-type", "application/json")
                .body(json::Object::new().string("error", "the request cannot be authorized").into_string())
        })?;
        if !(200..=299).contains(&answer.status()) {
            return Err(passed_on(&answer));
        }
        for name in &self.0.auth_response_headers {
            // Whether or not the service says anything, the client does not.
            if request.head().header(name).is_some() {
                request.remove_header(name);
            }
            for (_, value) in answer.headers().filter(|(field, _)| *field == &**name) {
                request.append_header(name, value);
            }
        }
        let cookies: Vec<&[u8]> = self.cookies(&answer).collect();
        if !cookies.is_empty() {
            request.set_context_bytes(cookies.join(&b'\n'));
        }
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        let cookies = response.context_bytes();
        if !cookies.is_empty() {
            for cookie in cookies.split(|&byte| byte == b'\n') {
                response.append_header("set-cookie", cookie);
            }
        }
        Ok(())
    }
}

impl ForwardAuth {
    fn question(&self, request: &Request) -> http::Request {
        let head = request.head();
        let method = if self.0.preserve_request_method { head.method() } else { "GET" };
        let mut question = http::Request::new(method, &self.0.address);
        if let Some(timeout) = self.0.timeout {
            question = question.timeout(Duration::from_millis(timeout.into()));
        }
        let wanted = &self.0.auth_request_headers;
        for (name, value) in head.headers().iter() {
            let is_wanted = match wanted[..] {
                [] => !LISTED_ONLY.contains(&name),
                _ => wanted.iter().any(|each| &**each == name),
            };
            // The body stays here, and what describes it would be wrong.
            let is_of_body = matches!(name, "content-encoding" | "content-type" | "content-range" | "accept-encoding");
            if is_wanted && !is_of_body && !NOT_COPIED.contains(&name) && !TOLD.contains(&name) {
                question = question.header(name, value);
            }
        }
        let target = match head.query() {
            Some(query) => format!("{}?{query}", head.path()),
            None => head.path().into(),
        };
        let told = [head.method(), head.scheme(), head.authority(), &target, head.client()];
        TOLD.iter().zip(told).fold(question, |question, (name, value)| question.header(name, value))
    }

    fn cookies<'a>(&'a self, answer: &'a http::Response) -> impl Iterator<Item = &'a [u8]> {
        let is_wanted = |cookie: &[u8]| {
            let end = cookie.iter().position(|&byte| byte == b'=').unwrap_or(0);
            let name = cookie[..end].trim_ascii();
            self.0.add_auth_cookies_to_response.iter().any(|wanted| wanted.as_bytes() == name)
        };
        let fields = answer.headers().filter(|(name, _)| *name == "set-cookie").map(|(_, value)| value);
        fields.filter(move |cookie| is_wanted(cookie))
    }
}

/// The service's answer as the client's. Interim and switching statuses cannot come here; whatever
/// is not a final status that a guest may give is 502.
fn passed_on(answer: &http::Response) -> Response {
    let status = if (200..=599).contains(&answer.status()) { answer.status() } else { 502 };
    let fields = answer.headers().filter(|(name, _)| !NOT_COPIED.contains(name));
    fields.fold(Response::new(status), |response, (name, value)| response.header(name, value)).body(answer.body())
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
