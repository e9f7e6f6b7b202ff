//! Adds the header fields by which browsers harden themselves, and removes those that tell what
//! serves.

use sentinel_sdk::prelude::*;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Seconds for which browsers reach this host by HTTPS only (`strict-transport-security`); 0
    /// sends no such field. It is sent over HTTPS only (RFC 6797, section 7.2).
    #[schema(default = 0)]
    sts_seconds: u32,
    /// Whether that holds for hosts below this one, too.
    #[schema(default = false)]
    sts_include_subdomains: bool,
    /// Whether browsers may ship with that rule. Needs a year and `sts_include_subdomains`.
    #[schema(default = false)]
    sts_preload: bool,
    /// `content-security-policy`.
    content_security_policy: Option<HeaderValue>,
    /// `content-security-policy-report-only`.
    content_security_policy_report_only: Option<HeaderValue>,
    /// Which pages may show this one in a frame (`x-frame-options`).
    #[schema(default = "deny")]
    frame_options: FrameOptions,
    /// Whether browsers must believe the content type (`x-content-type-options: nosniff`).
    #[schema(default = true)]
    content_type_nosniff: bool,
    /// `referrer-policy`; empty sends no such field.
    #[schema(default = "strict-origin-when-cross-origin")]
    referrer_policy: HeaderValue,
    /// `permissions-policy`.
    permissions_policy: Option<HeaderValue>,
    /// `cross-origin-opener-policy`.
    cross_origin_opener_policy: Option<HeaderValue>,
    /// `cross-origin-embedder-policy`.
    cross_origin_embedder_policy: Option<HeaderValue>,
    /// `cross-origin-resource-policy`.
    cross_origin_resource_policy: Option<HeaderValue>,
    /// Header fields to remove, for example `server` and `x-powered-by`.
    remove: Vec<HeaderName>,
    /// Whether a field that the response has already stays as it is.
    #[schema(default = false)]
    keep: bool,
}

#[derive(ConfigSchema, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FrameOptions {
    Deny,
    SameOrigin,
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sts_seconds: 0,
            sts_include_subdomains: false,
            sts_preload: false,
            content_security_policy: None,
            content_security_policy_report_only: None,
            frame_options: FrameOptions::Deny,
            content_type_nosniff: true,
            // What browsers do themselves by now.
            referrer_policy: HeaderValue::parse("strict-origin-when-cross-origin").expect("a header's value"),
            permissions_policy: None,
            cross_origin_opener_policy: None,
            cross_origin_embedder_policy: None,
            cross_origin_resource_policy: None,
            remove: Vec::new(),
            keep: false,
        }
    }
}

/// hstspreload.org asks for a year.
const PRELOAD_SECONDS: u32 = 31_536_000;

/// What `on_request` leaves for requests over HTTPS.
const HTTPS: &[u8] = b"s";

struct SecurityHeaders {
    transport: Option<String>,
    fields: Vec<(&'static str, String)>,
    /// The same and the removals, for responses that need no look at what they have.
    edits: HeaderEdits,
    removals: HeaderEdits,
    keep: bool,
}

#[guest]
impl Guest for SecurityHeaders {
    fn configure(config: Config) -> Result<Self, String> {
        if config.sts_preload && (config.sts_seconds < PRELOAD_SECONDS || !config.sts_include_subdomains) {
            return Err(format!(
                "sts_preload: browsers take it with sts_include_subdomains and sts_seconds of at least {PRELOAD_SECONDS}"
            ));
        }
        let fields = fields(&config);
        let mut removals = HeaderEdits::new();
        for name in &config.remove {
            removals.remove(name);
        }
        let mut edits = removals.clone();
        for (name, value) in &fields {
            edits.set(name, value);
        }
        Ok(Self { transport: transport(&config), fields, edits, removals, keep: config.keep })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        if self.transport.is_some() && request.scheme() == "https" {
            request.set_context_bytes(HTTPS);
        }
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        if self.keep {
            response.edit_headers(&self.removals);
            for (name, value) in &self.fields {
                self.add(response, name, value);
            }
        } else {
            response.edit_headers(&self.edits);
        }
        match &self.transport {
            Some(value) if response.context_bytes() == HTTPS => self.add(response, "strict-transport-security", value),
            _ => {}
        }
        Ok(())
    }
}

impl SecurityHeaders {
    fn add(&self, response: &mut IncomingResponse, name: &str, value: &str) {
        if !self.keep || response.header(name).is_none() {
            response.set_header(name, value);
        }
    }
}

fn transport(config: &Config) -> Option<String> {
    let subdomains = if config.sts_include_subdomains { "; includeSubDomains" } else { "" };
    let preload = if config.sts_preload { "; preload" } else { "" };
    (config.sts_seconds > 0).then(|| format!("max-age={}{subdomains}{preload}", config.sts_seconds))
}

fn fields(config: &Config) -> Vec<(&'static str, String)> {
    let frame = match config.frame_options {
        FrameOptions::Deny => Some("DENY"),
        FrameOptions::SameOrigin => Some("SAMEORIGIN"),
        FrameOptions::Off => None,
    };
    let values = [
        ("content-security-policy", config.content_security_policy.as_deref()),
        ("content-security-policy-report-only", config.content_security_policy_report_only.as_deref()),
        ("x-frame-options", frame),
        ("x-content-type-options", config.content_type_nosniff.then_some("nosniff")),
        ("referrer-policy", Some(&*config.referrer_policy)),
        ("permissions-policy", config.permissions_policy.as_deref()),
        ("cross-origin-opener-policy", config.cross_origin_opener_policy.as_deref()),
        ("cross-origin-embedder-policy", config.cross_origin_embedder_policy.as_deref()),
        ("cross-origin-resource-policy", config.cross_origin_resource_policy.as_deref()),
    ];
    let sent = values.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned())));
    sent.filter(|(_, value)| !value.is_empty()).collect()
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests {
    use sentinel_sdk::testing::Harness;

    use super::*;

    #[test]
    fn what_is_there_is_replaced_or_kept() {
        for (keep, expected) in [(false, "DENY"), (true, "SAMEORIGIN")] {
            let mut harness = Harness::<SecurityHeaders>::configure(Config { keep, ..Config::default() }).unwrap();
            let action = harness.on_response(200, &[("x-frame-options", "SAMEORIGIN")]);
            assert_eq!(action.header("x-frame-options"), Some(expected.as_bytes()));
            assert_eq!(action.header("x-content-type-options"), Some(&b"nosniff"[..]));
        }
    }

    #[test]
    fn plain_http_gets_no_transport_security() {
        let config = Config { sts_seconds: 60, ..Config::default() };
        let mut harness = Harness::<SecurityHeaders>::configure(config).unwrap();
        harness.on_request("GET", "/", &[]);
        assert_eq!(harness.on_response(200, &[]).header("strict-transport-security"), None);
    }
}
