//! Which origins may read responses: `*`, `https://app.example`, `https://*.example.com`,
//! `http://localhost:*`.

/// An origin as browsers serialize it (Fetch, "serializing a request origin") is short: a host has
/// at most 253 bytes.
const LONGEST: usize = 512;

#[derive(Debug)]
pub struct Origins {
    any: bool,
    exact: Vec<String>,
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    /// Up to the wildcard label, for example `https://`, or up to the end of the host.
    before: String,
    /// `.example.com` behind a wildcard label; empty without one.
    suffix: Option<String>,
    port: Port,
}

#[derive(Debug, PartialEq)]
enum Port {
    Exactly(String),
    Any,
}

impl Origins {
    pub fn new(written: &[String]) -> Result<Self, String> {
        let mut origins = Self { any: false, exact: Vec::new(), patterns: Vec::new() };
        for (index, origin) in written.iter().enumerate() {
            let origin = origin.to_ascii_lowercase();
            match origin.as_str() {
                "*" => origins.any = true,
                "null" => origins.exact.push(origin),
                _ => {
                    let pattern = Pattern::parse(&origin).map_err(|error| format!("origins[{index}]: {error}"))?;
                    if origin.contains('*') {
                        origins.patterns.push(pattern);
                    } else {
                        origins.exact.push(origin);
                    }
                }
            }
        }
        Ok(origins)
    }

    /// Whether every origin is allowed.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Whether sandboxed documents and files, whose origin is `null`, are allowed by name.
    pub fn has_null(&self) -> bool {
        self.exact.iter().any(|origin| origin == "null")
    }

    /// Browsers write scheme and host in lower case, so bytes are compared.
    pub fn allow(&self, origin: &str) -> bool {
        origin.len() <= LONGEST
            && (self.any
                || self.exact.iter().any(|exact| exact == origin)
                || self.patterns.iter().any(|pattern| pattern.matches(origin)))
    }
}

impl Pattern {
    fn parse(written: &str) -> Result<Self, String> {
        let wrong = || format!("{written:?} is not SCHEME://HOST or SCHEME://HOST:PORT");
        let (scheme, authority) = written.split_once("://").ok_or_else(wrong)?;
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(is_scheme) {
            return Err(wrong());
        }
        // The colons of an IPv6 address stand in brackets.
        let host_end = authority.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match authority[host_end..].find(':') {
            Some(colon) => authority.split_at(host_end + colon),
            None => (authority, ""),
        };
        let port = match port {
            ":*" => Port::Any,
            "" => Port::Exactly(String::new()),
            _ if is_port(port) => Port::Exactly(port.into()),
            _ => return Err(wrong()),
        };
        let (before, suffix) = match host.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') && is_host(&suffix[1..]) => {
                (format!("{scheme}://"), Some(suffix.to_owned()))
            }
            None if is_host(host) || is_address(host) => (format!("{scheme}://{host}"), None),
            _ => return Err(format!("{written:?}: a * stands for the first labels of a host, or for a port")),
        };
        Ok(Self { before, suffix, port })
    }

    fn matches(&self, origin: &str) -> bool {
        let Some(rest) = origin.strip_prefix(&self.before) else { return false };
        let rest = match &self.suffix {
            None => rest,
            Some(suffix) => {
                let (host, port) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
                match host.strip_suffix(suffix.as_str()) {
                    Some(labels) if is_host(labels) => port,
                    _ => return false,
                }
            }
        };
        match &self.port {
            Port::Exactly(port) => rest == port,
            Port::Any => rest.is_empty() || is_port(rest),
        }
    }
}

/// `:8080`
fn is_port(written: &str) -> bool {
    let Some(digits) = written.strip_prefix(':') else { return false };
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
}

fn is_host(written: &str) -> bool {
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    written.split('.').all(|label| !label.is_empty() && label.bytes().all(is_label))
}

fn is_address(written: &str) -> bool {
    let inner = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}
