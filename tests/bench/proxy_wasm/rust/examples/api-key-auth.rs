//! Lets a request pass if it has the configured API key, and tells the upstream whose key it was.
//!
//! The configuration is the key and its principal.

use envoy_filters::words;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(ApiKeyAuth::default()));
}}

#[derive(Clone, Default)]
struct ApiKeyAuth {
    key: String,
    principal: String,
}

impl Context for ApiKeyAuth {}

impl RootContext for ApiKeyAuth {
    fn on_configure(&mut self, _: usize) -> bool {
        [self.key, self.principal] = words(self.get_plugin_configuration());
        !self.key.is_empty() && !self.principal.is_empty()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(self.clone()))
    }
}

impl HttpContext for ApiKeyAuth {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        // Envoy joins several fields of a name with commas, and no key holds one.
        let Some(sent) = self.get_http_request_header_bytes("x-api-key") else {
            let challenge = [("content-type", "application/json"), ("www-authenticate", "ApiKey realm=\"sentinel\"")];
            self.send_http_response(401, challenge.to_vec(), Some(br#"{"error":"an API key is required"}"#));
            return Action::Pause;
        };
        if !is_equal(self.key.as_bytes(), &sent) {
            let json = vec![("content-type", "application/json")];
            self.send_http_response(403, json, Some(br#"{"error":"this API key is not accepted"}"#));
            return Action::Pause;
        }
        self.set_http_request_header("x-api-key", None);
        self.set_http_request_header("x-principal", Some(&self.principal));
        Action::Continue
    }
}

/// Without telling by the time it takes how close a guess came.
fn is_equal(key: &[u8], sent: &[u8]) -> bool {
    let mut difference = key.len() ^ sent.len();
    for (place, byte) in sent.iter().enumerate() {
        difference |= usize::from(byte ^ key.get(place).copied().unwrap_or(0));
    }
    difference == 0
}
