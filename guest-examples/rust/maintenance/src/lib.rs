//! Answers 503 with a page while a service is down on purpose, but for those who may pass.

use networks::{Address, Networks};
use sentinel_sdk::prelude::*;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Whether it is on. Off, every request passes.
    #[schema(default = true)]
    enabled: bool,
    /// Seconds after which clients may try again (`retry-after`); 0 says nothing about it.
    #[schema(default = 300)]
    retry_after: u32,
    /// The page.
    #[schema(default = "This service is down for maintenance. Please try again later.\n", max_length = 65536)]
    body: String,
    /// The page's content type.
    #[schema(default = "text/plain; charset=utf-8")]
    content_type: HeaderValue,
    /// The status.
    #[schema(default = 503, minimum = 400, maximum = 599)]
    status: u16,
    /// Addresses and networks of clients that pass, for example `10.0.0.0/8`.
    allow: Vec<String>,
    /// Paths that pass, with those below them, for example `/healthz`.
    allow_paths: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            retry_after: 300,
            body: "This service is down for maintenance. Please try again later.\n".into(),
            content_type: HeaderValue::parse("text/plain; charset=utf-8").expect("a header's value"),
            status: 503,
            allow: Vec::new(),
            allow_paths: Vec::new(),
        }
    }
}

struct Maintenance {
    enabled: bool,
    answer: Response,
    allow: Networks,
    allow_paths: Vec<String>,
}

#[guest]
impl Guest for Maintenance {
    fn configure(config: Config) -> Result<Self, String> {
        if !(400..=599).contains(&config.status) {
            return Err("status: it is 400 to 599".into());
        }
        let mut answer = Response::new(config.status)
            .header("content-type", &config.content_type)
            // A page that outlasts the maintenance in a cache would prolong it.
            .header("cache-control", "no-store");
        if config.retry_after > 0 {
            answer = answer.header("retry-after", config.retry_after.to_string());
        }
        if let Some(index) = config.allow_paths.iter().position(|path| !path.starts_with('/')) {
            return Err(format!("allow_paths[{index}]: it begins with no /"));
        }
        Ok(Self {
            enabled: config.enabled,
            answer: answer.body(config.body),
            allow: Networks::parse("allow", &config.allow)?,
            allow_paths: config.allow_paths.iter().map(|path| path.trim_end_matches('/').to_owned()).collect(),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        if !self.enabled || self.passes(request) {
            return Ok(());
        }
        Err(self.answer.clone())
    }
}

impl Maintenance {
    fn passes(&self, request: &Request) -> bool {
        let known = Address::parse(request.client()).is_some_and(|address| self.allow.hold(address));
        known || self.allow_paths.iter().any(|prefix| is_below(request.path(), prefix))
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests {
    use sentinel_sdk::testing::Harness;

    use super::*;

    #[test]
    fn clients_and_paths_on_the_lists_pass() {
        let config = Config { allow: vec!["127.0.0.0/8".into()], ..Config::default() };
        assert!(Harness::<Maintenance>::configure(config).unwrap().on_request("GET", "/", &[]).response.is_none());
        let config = Config { allow_paths: vec!["/healthz".into()], ..Config::default() };
        let mut harness = Harness::<Maintenance>::configure(config).unwrap();
        for (path, passes) in [("/healthz", true), ("/healthz/live", true), ("/healthzz", false), ("/", false)] {
            assert_eq!(harness.on_request("GET", path, &[]).response.is_none(), passes, "{path}");
        }
    }
}
