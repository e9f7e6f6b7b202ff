//! Lets a request pass, or refuses it, by the client's address.

use networks::{Address, Networks};
use sentinel_sdk::json;
use sentinel_sdk::prelude::*;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Addresses and networks that pass, such as `10.0.0.0/8` or `2001:db8::1`. Left out: all that
    /// `deny` lets.
    #[serde(default)]
    allow: Vec<String>,
    /// Addresses and networks that are refused, even if `allow` has them.
    #[serde(default)]
    deny: Vec<String>,
    /// The status of the refusal.
    #[serde(default = "default_status")]
    #[schema(default = 403, minimum = 400, maximum = 599)]
    status: u16,
    /// What the refusal says.
    #[serde(default = "default_message")]
    #[schema(default = "your address is not allowed")]
    message: String,
}

fn default_status() -> u16 {
    403
}

fn default_message() -> String {
    "your address is not allowed".into()
}

struct IpFilter {
    allow: Networks,
    deny: Networks,
    refusal: Response,
}

#[guest]
impl Guest for IpFilter {
    fn configure(config: Config) -> Result<Self, String> {
        if config.allow.is_empty() && config.deny.is_empty() {
            return Err("one of allow and deny is needed".into());
        }
        if !(400..=599).contains(&config.status) {
            return Err("status: it is 400 to 599".into());
        }
        let body = json::Object::new().string("error", &config.message).into_string();
        Ok(Self {
            allow: Networks::parse("allow", &config.allow)?,
            deny: Networks::parse("deny", &config.deny)?,
            refusal: Response::new(config.status).header("content-type", "application/json").body(body),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        // One whose address is not known is refused: a list that says who may pass does not have
        // it, and one that says who may not could.
        let passes = Address::parse(request.client())
            .is_some_and(|address| !self.deny.hold(address) && (self.allow.is_empty() || self.allow.hold(address)));
        if passes {
            Ok(())
        } else {
            Err(self.refusal.clone())
        }
    }
}

config_schema!(Config);
self_test!("self-test.json");
