//! One line per request, a JSON object, when the request is over and whatever its outcome.

use sentinel_sdk::json;
use sentinel_sdk::log::Level;
use sentinel_sdk::prelude::*;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The level of the lines.
    #[serde(default = "info")]
    #[schema(default = "info")]
    level: Level,
}

fn info() -> Level {
    Level::Info
}

struct AccessLog {
    level: Level,
}

#[guest]
impl Guest for AccessLog {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self { level: config.level })
    }

    fn on_complete(&self, summary: &Summary) {
        json::Object::new()
            .string("method", summary.method)
            .string("path", summary.path)
            .optional_string("query", summary.query)
            .number("status", summary.status.into())
            .number("bytes", summary.response_bytes)
            .number("request_bytes", summary.request_bytes)
            .number("duration_us", summary.duration)
            .string("request_id", summary.request_id)
            .string("client", summary.client)
            .string("route", summary.route)
            .optional_string("upstream", summary.upstream)
            .optional_string("endpoint", summary.endpoint)
            .number("tries", summary.tries.into())
            .string("outcome", summary.outcome.as_str())
            .log(self.level);
    }
}

config_schema!(Config);
self_test!("self-test.json");
