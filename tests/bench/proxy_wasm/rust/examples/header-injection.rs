//! Sets a header field of requests, and one of responses.
//!
//! The configuration is a name and a value for requests and, if wanted, a name and a value for
//! responses.

use envoy_filters::words;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(HeaderInjection::default()));
}}

#[derive(Clone, Default)]
struct HeaderInjection {
    request: (String, String),
    response: (String, String),
}

impl Context for HeaderInjection {}

impl RootContext for HeaderInjection {
    fn on_configure(&mut self, _: usize) -> bool {
        [self.request.0, self.request.1, self.response.0, self.response.1] = words(self.get_plugin_configuration());
        !self.request.0.is_empty()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(self.clone()))
    }
}

impl HttpContext for HeaderInjection {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_request_header(&self.request.0, Some(&self.request.1));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if !self.response.0.is_empty() {
            self.set_http_response_header(&self.response.0, Some(&self.response.1));
        }
        Action::Continue
    }
}
