//! Gives a request another path, and another upstream if a header asks for one.

mod prefix;

use std::collections::BTreeMap;

use sentinel_sdk::prelude::*;

use crate::prefix::Prefix;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Taken off paths that lie under it; other paths stay as they are.
    #[serde(default)]
    strip_prefix: Prefix,
    /// Put before what is left.
    #[serde(default)]
    add_prefix: Prefix,
    /// Another upstream for requests with a header.
    upstream: Option<UpstreamByHeader>,
}

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpstreamByHeader {
    /// The header field that chooses an upstream; its first value counts.
    header: HeaderName,
    /// Each value and the name of its upstream; other values choose nothing.
    map: BTreeMap<String, String>,
}

struct PathRewrite {
    strip: Prefix,
    add: Prefix,
    upstream: Option<UpstreamByHeader>,
}

#[guest]
impl Guest for PathRewrite {
    fn configure(config: Config) -> Result<Self, String> {
        for (value, upstream) in config.upstream.iter().flat_map(|upstream| &upstream.map) {
            if upstream.is_empty() {
                return Err(format!("upstream.map: {value:?} stands for no upstream"));
            }
        }
        Ok(Self { strip: config.strip_prefix, add: config.add_prefix, upstream: config.upstream })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        if let Some(path) = self.rewritten(request.path()) {
            request.set_path(path);
        }
        if let Some(upstream) = self.chosen(request) {
            request.set_upstream(upstream);
        }
        Ok(())
    }
}

impl PathRewrite {
    /// The new path, if it is another one. A path that does not lie under the prefix to strip stays
    /// as it is.
    fn rewritten(&self, path: &str) -> Option<String> {
        // `*` of `OPTIONS *` is no path.
        if !path.starts_with('/') {
            return None;
        }
        let rest = self.strip.strip_from(path)?;
        let rewritten = match self.add.as_str() {
            "" if rest.is_empty() => "/".to_owned(),
            add => [add, rest].concat(),
        };
        Some(rewritten).filter(|rewritten| rewritten != path)
    }

    fn chosen(&self, request: &Request) -> Option<&str> {
        let by_header = self.upstream.as_ref()?;
        let value = request.header(&by_header.header)?;
        by_header.map.get(std::str::from_utf8(&value).ok()?).map(String::as_str)
    }
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_a_path() {
        let prefixes = ["", "/", "/a", "/a/b"];
        for (strip, add) in prefixes.iter().flat_map(|strip| prefixes.map(|add| (*strip, add))) {
            let parse =
                |prefix: &str| if prefix.is_empty() { Prefix::default() } else { Prefix::parse(prefix).unwrap() };
            let guest = PathRewrite { strip: parse(strip), add: parse(add), upstream: None };
            for path in ["/", "/a", "/a/", "/ab", "/a/b", "/a/b/c", "/a/bc"] {
                let rewritten = guest.rewritten(path).unwrap_or(path.into());
                assert!(rewritten.starts_with('/') && !rewritten.contains("//"), "{strip} {add} {path}: {rewritten}");
            }
        }
    }
}
