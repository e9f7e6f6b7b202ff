//! Sends clients to another place, by the first rule that fits: an exact path, a prefix, or a
//! pattern with captures.

mod pattern;
mod target;

use sentinel_sdk::prelude::*;

use crate::pattern::Pattern;
use crate::target::Target;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The rules; the first that fits counts.
    #[schema(min_items = 1, max_items = 1000)]
    rules: Vec<RuleConfig>,
}

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleConfig {
    /// The exact path to redirect. A rule has one of `path`, `prefix` and `pattern`.
    path: Option<String>,
    /// The beginning of the paths to redirect, up to a slash or the end: `/old` is `/old` and
    /// `/old/a`, not `/older`. What follows it is added to `to`.
    prefix: Option<String>,
    /// A path with wildcards: `*` stands for a part of one segment, `**` at the end for any rest.
    pattern: Option<String>,
    /// Only for requests to this host, without a port, in lower case.
    host: Option<String>,
    /// Only for requests that arrived by this scheme.
    scheme: Option<Scheme>,
    /// Where to: a path, or a URL with its host written out. `$1` to `$9` are what the wildcards
    /// stood for.
    to: String,
    /// 301, 302, 303, 307 or 308. 307 and 308 keep method and body.
    #[serde(default = "default_status")]
    #[schema(default = 302, minimum = 301, maximum = 308)]
    status: u16,
    /// Whether the request's query is added.
    #[serde(default = "yes")]
    #[schema(default = true)]
    keep_query: bool,
}

#[derive(ConfigSchema, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scheme {
    Http,
    Https,
}

/// Browsers keep what is permanent, mistakes included.
fn default_status() -> u16 {
    302
}

fn yes() -> bool {
    true
}

struct RedirectRules(Vec<Rule>);

struct Rule {
    matcher: Matcher,
    host: Option<String>,
    scheme: Option<&'static str>,
    to: Target,
    status: u16,
    keep_query: bool,
}

enum Matcher {
    Path(String),
    Prefix(String),
    Pattern(Pattern),
}

#[guest]
impl Guest for RedirectRules {
    fn configure(config: Config) -> Result<Self, String> {
        let rules = config.rules.into_iter().enumerate();
        rules
            .map(|(index, rule)| Rule::new(rule).map_err(|error| format!("rules[{index}].{error}")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        match self.0.iter().find_map(|rule| rule.location(request)) {
            Some((status, location)) => Err(Response::new(status).header("location", location)),
            None => Ok(()),
        }
    }
}

impl Rule {
    fn new(config: RuleConfig) -> Result<Self, String> {
        let (matcher, captures) = match (config.path, config.prefix, config.pattern) {
            (Some(path), None, None) => (Matcher::Path(absolute("path", path)?), 0),
            (None, Some(prefix), None) => {
                let prefix = absolute("prefix", prefix)?;
                (Matcher::Prefix(prefix.trim_end_matches('/').into()), 0)
            }
            (None, None, Some(pattern)) => {
                let pattern = Pattern::parse(&pattern).map_err(|error| format!("pattern: {error}"))?;
                let captures = pattern.wildcards();
                (Matcher::Pattern(pattern), captures)
            }
            _ => return Err("path: a rule has one of path, prefix and pattern".into()),
        };
        if ![301, 302, 303, 307, 308].contains(&config.status) {
            return Err(format!("status: {} is no redirect", config.status));
        }
        let mut to = Target::parse(&config.to, captures).map_err(|error| format!("to: {error}"))?;
        if matches!(matcher, Matcher::Prefix(_)) {
            to.append_rest();
        }
        Ok(Self {
            matcher,
            host: config.host,
            scheme: config.scheme.map(|scheme| match scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            }),
            to,
            status: config.status,
            keep_query: config.keep_query,
        })
    }

    /// Status and URL, if the rule fits. A rule that leads to where the client is does not.
    fn location(&self, request: &Request) -> Option<(u16, String)> {
        if self.scheme.is_some_and(|scheme| request.scheme() != scheme) {
            return None;
        }
        let host = host_of(request.authority());
        if self.host.as_ref().is_some_and(|wanted| !host.eq_ignore_ascii_case(wanted)) {
            return None;
        }
        let captures = match &self.matcher {
            Matcher::Path(path) if request.path() == path => vec![],
            Matcher::Prefix(prefix) => {
                let rest = request.path().strip_prefix(prefix.as_str())?;
                if !rest.is_empty() && !rest.starts_with('/') {
                    return None;
                }
                vec![rest]
            }
            Matcher::Pattern(pattern) => pattern.matches(request.path())?,
            Matcher::Path(_) => return None,
        };
        let query = request.query().filter(|_| self.keep_query);
        let location = self.to.expand(&captures, query);
        (!leads_back(&location, request)).then_some((self.status, location))
    }
}

fn absolute(key: &str, path: String) -> Result<String, String> {
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(format!("{key}: it begins with no /"))
    }
}

fn host_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    }
}

/// Whether a client that follows would send the same request again.
fn leads_back(location: &str, request: &Request) -> bool {
    let target = location.split('#').next().unwrap_or_default();
    let target = match target.strip_prefix(request.scheme()).and_then(|rest| rest.strip_prefix("://")) {
        Some(rest) => match rest.strip_prefix(request.authority()) {
            Some(target) => target,
            None => return false,
        },
        None => target,
    };
    match request.query() {
        Some(query) => target.strip_prefix(request.path()).and_then(|rest| rest.strip_prefix('?')) == Some(query),
        None => target == request.path(),
    }
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
