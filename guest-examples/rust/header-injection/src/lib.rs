//! Sets, appends and removes header fields of requests and responses, as configured.

mod config;

use sentinel_sdk::prelude::*;

use crate::config::Config;

struct HeaderInjection {
    request: HeaderEdits,
    response: HeaderEdits,
}

#[guest]
impl Guest for HeaderInjection {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self { request: config.request.into_edits(), response: config.response.into_edits() })
    }

    fn needed_hooks(&self) -> NeededHooks {
        NeededHooks { request: !self.request.is_empty(), response: !self.response.is_empty(), ..NeededHooks::ALL }
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        request.edit_headers(&self.request);
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        response.edit_headers(&self.response);
        Ok(())
    }
}

config_schema!(Config);
self_test!("self-test.json");
