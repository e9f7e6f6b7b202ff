//! Changes header fields, query parameters and JSON bodies of requests.

use sentinel_sdk::prelude::*;
use transform::{is_json, BodyConfig, BodyRules, HeaderRules, QueryRules, DIGESTS};

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Changes to header fields.
    headers: HeaderRules,
    /// Changes to the parameters of the query.
    query: QueryRules,
    /// Changes to JSON bodies, at JSON Pointers.
    body: BodyConfig,
    /// Bytes of the largest JSON body that is taken, where `body` has changes; a larger one is
    /// answered 413.
    #[schema(default = 131072, minimum = 1, maximum = 1000000)]
    max_body: u32,
}

impl Default for Config {
    fn default() -> Self {
        // A value takes up to 32 times its bytes while it is changed, and a guest has 16 MiB.
        Self {
            headers: HeaderRules::default(),
            query: QueryRules::default(),
            body: BodyConfig::default(),
            max_body: 131_072,
        }
    }
}

struct RequestTransform {
    headers: HeaderRules,
    query: QueryRules,
    body: BodyRules,
    max_body: u32,
}

#[guest]
impl Guest for RequestTransform {
    fn configure(config: Config) -> Result<Self, String> {
        if !(1..=1_000_000).contains(&config.max_body) {
            return Err("max_body: it is 1 to 1000000".into());
        }
        Ok(Self {
            headers: config.headers,
            query: config.query,
            body: BodyRules::new(config.body)?,
            max_body: config.max_body,
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let arrived = request.head().headers();
        if !self.body.is_empty() && is_json(arrived) {
            if arrived.has_content_coding() {
                return Err(Response::new(415)
                    .header("accept-encoding", "identity")
                    .body("an encoded body cannot be changed\n"));
            }
            request.buffer_body(self.max_body);
            for name in DIGESTS {
                if arrived.get(name).is_some() {
                    request.remove_header(name);
                }
            }
        }
        self.headers.apply(request);
        if !self.query.is_empty() {
            let query = self.query.apply(request.query().unwrap_or_default());
            if query != request.query().unwrap_or_default() {
                request.set_query(query);
            }
        }
        Ok(())
    }

    fn on_request_chunk(&self, chunk: &mut RequestChunk) -> Result<(), Response> {
        if chunk.bytes().is_empty() {
            return Ok(());
        }
        match self.body.apply(chunk.bytes()) {
            Some(body) if body != chunk.bytes() => chunk.replace(body),
            Some(_) => {}
            None => return Err(Response::new(400).body("the body is not JSON\n")),
        }
        Ok(())
    }
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests {
    use sentinel_sdk::testing::Harness;

    use super::*;

    #[test]
    fn without_changes_to_bodies_they_are_not_waited_for() {
        let mut harness = Harness::<RequestTransform>::configure(Config::default()).unwrap();
        let action = harness.on_request("POST", "/?a=1", &[("content-type", "application/json")]);
        assert!(action.edits.is_empty());
    }

    #[test]
    fn a_body_of_no_bytes_is_left_alone_and_one_that_is_no_json_refused() {
        let mut harness = Harness::<RequestTransform>::configure(Config::default()).unwrap();
        assert!(harness.on_request_chunk(b"", true).response.is_none());
        assert_eq!(harness.on_request_chunk(b"{", true).response.unwrap().status(), 400);
    }
}
