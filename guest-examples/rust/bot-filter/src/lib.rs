//! Refuses requests of bots, or tells the upstream of them: by what they call themselves, and by
//! what browsers always send.
//!
//! Nothing here proves who sent a request: a bot that copies a browser's header fields passes.

mod known;

use sentinel_sdk::prelude::*;

use crate::known::Category;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// User agents that pass, whatever else holds: those that contain one of these texts, whatever
    /// the case.
    allow: Vec<String>,
    /// User agents that are bots: those that contain one of these texts, whatever the case.
    deny: Vec<String>,
    /// Kinds of bots that are known by name. Left out: `scanners` and `scrapers`.
    categories: Vec<Category>,
    /// Whether requests without a user agent, or with an empty one, are those of bots.
    #[schema(default = true)]
    deny_empty: bool,
    /// Whether requests that claim to be a browser's, and lack what browsers always send, are those
    /// of bots.
    #[schema(default = false)]
    heuristics: bool,
    /// Whether bots are refused, or pass with the reason in `header`.
    #[schema(default = "deny")]
    action: Action,
    /// Where the upstream finds why a request is a bot's; what the client sent there is removed.
    #[schema(default = "x-bot")]
    header: HeaderName,
    /// The status of refusals.
    #[schema(default = 403, minimum = 400, maximum = 599)]
    status: u16,
    /// The body of refusals.
    #[schema(default = "bots are not served here\n")]
    message: String,
}

#[derive(ConfigSchema, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Action {
    Deny,
    Mark,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            categories: vec![Category::Scanners, Category::Scrapers],
            deny_empty: true,
            heuristics: false,
            action: Action::Deny,
            header: HeaderName::parse("x-bot").expect("a header name"),
            status: 403,
            message: "bots are not served here\n".into(),
        }
    }
}

struct BotFilter {
    allow: Vec<String>,
    deny: Vec<String>,
    categories: Vec<Category>,
    deny_empty: bool,
    heuristics: bool,
    /// `None` marks.
    refusal: Option<Response>,
    header: HeaderName,
}

#[guest]
impl Guest for BotFilter {
    fn configure(config: Config) -> Result<Self, String> {
        if !(400..=599).contains(&config.status) {
            return Err("status: it is 400 to 599".into());
        }
        let refusal =
            Response::new(config.status).header("content-type", "text/plain; charset=utf-8").body(config.message);
        Ok(Self {
            allow: lowered("allow", &config.allow)?,
            deny: lowered("deny", &config.deny)?,
            categories: config.categories,
            deny_empty: config.deny_empty,
            heuristics: config.heuristics,
            refusal: Some(refusal).filter(|_| config.action == Action::Deny),
            header: config.header,
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let reason = self.reason(request);
        match (&self.refusal, reason) {
            (Some(refusal), Some(reason)) => {
                debug!("a bot: {reason}");
                return Err(refusal.clone());
            }
            (None, Some(reason)) => request.set_header(&self.header, reason),
            (_, None) if request.header(&self.header).is_some() => request.remove_header(&self.header),
            _ => {}
        }
        Ok(())
    }
}

impl BotFilter {
    /// Why the request is a bot's, if it is.
    fn reason(&self, request: &Request) -> Option<&'static str> {
        let headers = request.head().headers();
        let agents: Vec<String> = headers.get_all("user-agent").map(lower).collect();
        let contains =
            |names: &[String]| agents.iter().any(|agent| names.iter().any(|name| agent.contains(name.as_str())));
        // Of two user agents either may be the one that is meant.
        if agents.len() < 2 && contains(&self.allow) {
            return None;
        }
        if agents.len() > 1 {
            return Some("several-user-agents");
        }
        if agents.iter().all(|agent| agent.trim().is_empty()) {
            return self.deny_empty.then_some("no-user-agent");
        }
        if contains(&self.deny) {
            return Some("denied");
        }
        for category in &self.categories {
            if agents.iter().any(|agent| category.names().iter().any(|name| agent.contains(name))) {
                return Some(category.name());
            }
        }
        // Every browser since 2016 sends these with every request but those of a few APIs, which
        // lack only the language.
        let is_browser = agents.iter().any(|agent| agent.starts_with("mozilla/5.0 ("));
        let lacks = |name: &str| headers.get(name).is_none();
        if self.heuristics && is_browser && (lacks("accept") || lacks("accept-encoding")) {
            return Some("unlike-a-browser");
        }
        None
    }
}

fn lower(value: &[u8]) -> String {
    String::from_utf8_lossy(value).to_lowercase()
}

fn lowered(key: &str, names: &[String]) -> Result<Vec<String>, String> {
    match names.iter().position(|name| name.trim().is_empty()) {
        Some(index) => Err(format!("{key}[{index}]: an empty text is in every user agent")),
        None => Ok(names.iter().map(|name| name.to_lowercase()).collect()),
    }
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests {
    use sentinel_sdk::testing::Harness;

    use super::*;

    #[test]
    fn known_names_are_written_in_lower_case() {
        use Category::{Ai, Scanners, Scrapers, Search, Seo, Tools};
        for category in [Search, Ai, Seo, Scanners, Scrapers, Tools] {
            assert!(category.names().iter().all(|name| *name == name.to_lowercase()), "{category:?}");
        }
    }

    #[test]
    fn bots_are_marked() {
        let config = Config { action: Action::Mark, categories: vec![Category::Ai], ..Config::default() };
        let mut harness = Harness::<BotFilter>::configure(config).unwrap();
        let action = harness.on_request("GET", "/", &[("user-agent", "Mozilla/5.0 (compatible; GPTBot/1.2)")]);
        assert_eq!(action.header("x-bot"), Some(&b"ai"[..]));
        let action = harness.on_request("GET", "/", &[("user-agent", "Firefox"), ("x-bot", "ai")]);
        assert_eq!(action.header("x-bot"), None);
    }
}
