//! Answers preflights, and tells browsers which origins may read responses (Fetch, section "CORS
//! protocol").

mod origins;

use sentinel_sdk::prelude::*;

use crate::origins::Origins;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Origins that may read responses: `*` for all, `https://app.example`, `https://*.example.com`
    /// for every host below that one, `http://localhost:*` for every port.
    #[schema(min_items = 1)]
    origins: Vec<String>,
    /// Methods that a preflight allows. `*` allows the one that is asked for. Left out: GET, HEAD,
    /// POST, PUT, PATCH, DELETE.
    #[serde(default = "default_methods")]
    methods: Vec<String>,
    /// Header fields that a preflight allows. `*`, or left out: those that are asked for.
    #[serde(default = "default_headers")]
    headers: Vec<String>,
    /// Header fields of responses that scripts may read beyond those that they always may.
    #[serde(default)]
    exposed_headers: Vec<String>,
    /// Whether requests may carry cookies, client certificates and HTTP authentication. Not with
    /// `*` in `origins`.
    #[serde(default)]
    #[schema(default = false)]
    credentials: bool,
    /// Seconds for which browsers may remember a preflight's answer. Without it they choose,
    /// usually 5.
    #[serde(default)]
    max_age: Option<u32>,
    /// Whether pages of public networks may ask this service on a private network.
    #[serde(default)]
    #[schema(default = false)]
    private_network: bool,
}

/// What forms and scripts usually send.
fn default_methods() -> Vec<String> {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(Into::into).into()
}

fn default_headers() -> Vec<String> {
    vec!["*".into()]
}

struct Cors {
    origins: Origins,
    methods: List,
    headers: List,
    exposed_headers: Option<String>,
    credentials: bool,
    max_age: Option<String>,
    private_network: bool,
}

/// What a preflight allows: a fixed list, or what is asked for.
enum List {
    Fixed(String),
    Asked,
}

#[guest]
impl Guest for Cors {
    fn configure(config: Config) -> Result<Self, String> {
        let origins = Origins::new(&config.origins)?;
        if config.credentials && origins.any() {
            return Err("credentials: every site could act as its visitors; list the origins in place of \"*\"".into());
        }
        if config.credentials && origins.has_null() {
            return Err("credentials: every sandboxed frame has the origin null; take it out of origins".into());
        }
        let exposed = list("exposed_headers", &config.exposed_headers)?;
        if config.credentials && matches!(exposed, List::Asked) {
            return Err("exposed_headers: with credentials \"*\" is the name of a header; list them".into());
        }
        Ok(Self {
            origins,
            methods: list("methods", &config.methods)?,
            headers: list("headers", &config.headers)?,
            exposed_headers: match exposed {
                List::Fixed(names) => Some(names).filter(|names| !names.is_empty()),
                List::Asked => Some("*".into()),
            },
            credentials: config.credentials,
            max_age: config.max_age.map(|seconds| seconds.to_string()),
            private_network: config.private_network,
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let head = request.head();
        let origin = self.allowed_origin(head.headers().get_all("origin"));
        if head.method() == "OPTIONS" && head.header("origin").is_some() {
            if let Some(method) = head.header("access-control-request-method") {
                return Err(self.preflight(request, origin, method));
            }
        }
        if let Some(origin) = origin {
            request.set_context_bytes(origin);
        }
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        // What the upstream says itself would be a second answer, which browsers refuse, or a more
        // generous one.
        for name in ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"]
        {
            if response.head().header(name).is_some() {
                response.remove_header(name);
            }
        }
        let origin = match response.context_bytes() {
            _ if self.origins.any() => b"*",
            origin => origin,
        };
        if !origin.is_empty() {
            response.set_header("access-control-allow-origin", origin);
            if self.credentials {
                response.set_header("access-control-allow-credentials", "true");
            }
            if let Some(names) = &self.exposed_headers {
                response.set_header("access-control-expose-headers", names);
            }
        }
        // Also for requests without an origin: a cache would give their responses to those that
        // have one.
        if !self.origins.any() && !varies_by_origin(response) {
            response.append_header("vary", "Origin");
        }
        Ok(())
    }
}

impl Cors {
    /// The origin that a response may name; browsers send one, or none.
    fn allowed_origin<'a>(&self, mut sent: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
        let origin = sent.next()?;
        let text = std::str::from_utf8(origin).ok()?;
        (sent.next().is_none() && self.origins.allow(text)).then_some(origin)
    }

    /// A preflight's answer. The browser compares it with what it wants to send, and names what is
    /// missing.
    fn preflight(&self, request: &Request, origin: Option<&[u8]>, method: &[u8]) -> Response {
        const VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        let Some(origin) = origin else {
            return Response::new(403).header("vary", VARY).body("this origin is not allowed\n");
        };
        let head = request.head();
        let mut answer = Response::new(204).header("vary", VARY);
        answer = answer.header("access-control-allow-origin", if self.origins.any() { b"*" } else { origin });
        if self.credentials {
            answer = answer.header("access-control-allow-credentials", "true");
        }
        answer = allow(answer, "access-control-allow-methods", &self.methods, Some(method));
        let names = head.header("access-control-request-headers");
        answer = allow(answer, "access-control-allow-headers", &self.headers, names);
        if self.private_network && head.header("access-control-request-private-network") == Some(b"true") {
            answer = answer.header("access-control-allow-private-network", "true");
        }
        match &self.max_age {
            Some(seconds) => answer.header("access-control-max-age", seconds),
            None => answer,
        }
    }
}

fn allow(answer: Response, name: &str, list: &List, asked: Option<&[u8]>) -> Response {
    match (list, asked) {
        (List::Fixed(names), _) if !names.is_empty() => answer.header(name, names),
        (List::Asked, Some(asked)) if is_list_of_tokens(asked) => answer.header(name, asked),
        _ => answer,
    }
}

/// The names as one field's value, or what `*` stands for.
fn list(key: &str, names: &[String]) -> Result<List, String> {
    if names.iter().any(|name| name == "*") {
        return Ok(List::Asked);
    }
    match names.iter().position(|name| name.is_empty() || !name.bytes().all(is_token)) {
        Some(index) => Err(format!("{key}[{index}]: {:?} is not a name", names[index])),
        None => Ok(List::Fixed(names.join(", "))),
    }
}

/// What is echoed: names, and no more of them than browsers ask for.
fn is_list_of_tokens(value: &[u8]) -> bool {
    value.len() <= 4096
        && value.split(|&byte| byte == b',').all(|name| {
            let name = name.trim_ascii();
            !name.is_empty() && name.iter().all(|&byte| is_token(byte))
        })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn varies_by_origin(response: &IncomingResponse) -> bool {
    let mut members = response.head().headers().get_all("vary").flat_map(|value| value.split(|&byte| byte == b','));
    members.any(|name| [&b"*"[..], b"origin"].iter().any(|wanted| name.trim_ascii().eq_ignore_ascii_case(wanted)))
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
