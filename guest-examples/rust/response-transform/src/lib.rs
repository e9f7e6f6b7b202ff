//! Changes header fields and JSON bodies of responses.

use sentinel_sdk::prelude::*;
use transform::{is_json, BodyConfig, BodyRules, HeaderRules, DIGESTS};

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Changes to header fields.
    headers: HeaderRules,
    /// Changes to JSON bodies, at JSON Pointers.
    body: BodyConfig,
    /// Bytes of the largest JSON body that is taken, where `body` has changes; in place of a larger
    /// one the client gets 502.
    #[schema(default = 131072, minimum = 1, maximum = 1000000)]
    max_body: u32,
}

impl Default for Config {
    fn default() -> Self {
        // A value takes up to 32 times its bytes while it is changed, and a guest has 16 MiB.
        Self { headers: HeaderRules::default(), body: BodyConfig::default(), max_body: 131_072 }
    }
}

struct ResponseTransform {
    headers: HeaderRules,
    body: BodyRules,
    max_body: u32,
}

#[guest]
impl Guest for ResponseTransform {
    fn configure(config: Config) -> Result<Self, String> {
        if !(1..=1_000_000).contains(&config.max_body) {
            return Err("max_body: it is 1 to 1000000".into());
        }
        Ok(Self { headers: config.headers, body: BodyRules::new(config.body)?, max_body: config.max_body })
    }

    /// What the upstream compresses, or cuts into ranges, could not be changed.
    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        if !self.body.is_empty() {
            request.set_header("accept-encoding", "identity");
            request.remove_header("range");
        }
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        let arrived = response.head().headers();
        if !self.body.is_empty() && is_json(arrived) {
            // It may hold what is to be removed.
            if arrived.has_content_coding() || response.status() == 206 {
                error!("a response is encoded, or a part: it cannot be changed");
                return Err(unreadable());
            }
            response.buffer_body(self.max_body);
            for name in DIGESTS {
                if arrived.get(name).is_some() {
                    response.remove_header(name);
                }
            }
        }
        self.headers.apply(response);
        Ok(())
    }

    fn on_response_chunk(&self, chunk: &mut ResponseChunk) -> Result<(), Response> {
        if chunk.bytes().is_empty() {
            return Ok(());
        }
        match self.body.apply(chunk.bytes()) {
            Some(body) if body != chunk.bytes() => chunk.replace(body),
            Some(_) => {}
            None => {
                error!("a response is said to be JSON, and is not: it cannot be changed");
                return Err(unreadable());
            }
        }
        Ok(())
    }
}

fn unreadable() -> Response {
    Response::new(502).body("the upstream's response cannot be read\n")
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests {
    use sentinel_sdk::testing::Harness;

    use super::*;

    #[test]
    fn without_changes_to_bodies_the_upstream_may_encode_them() {
        let mut harness = Harness::<ResponseTransform>::configure(Config::default()).unwrap();
        assert!(harness.on_request("GET", "/", &[("accept-encoding", "gzip")]).edits.is_empty());
        let fields = [("content-type", "application/json"), ("content-encoding", "gzip")];
        assert!(harness.on_response(200, &fields).response.is_none());
    }

    #[test]
    fn what_is_no_json_does_not_go_out() {
        let mut harness = Harness::<ResponseTransform>::configure(Config::default()).unwrap();
        assert!(harness.on_response_chunk(b"", true).response.is_none());
        assert_eq!(harness.on_response_chunk(b"{", true).response.unwrap().status(), 502);
    }
}
