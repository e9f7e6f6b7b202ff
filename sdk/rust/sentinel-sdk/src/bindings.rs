//! What wit-bindgen makes of the contract: each world once, and for each an export macro that only guests with that hook
//! use. All `unsafe` code of this crate is generated here.

#![allow(missing_docs, unsafe_code, clippy::all)]

pub mod lifecycle {
    wit_bindgen::generate!({
        path: "wit",
        world: "lifecycle-guest",
        ownership: Borrowing { duplicate_if_necessary: true },
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        default_bindings_module: "::sentinel_sdk::__private::lifecycle",
    });
}

macro_rules! world {
    ($module:ident, $world:literal, $export:literal, $path:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                world: $world,
                with: {
                    "sentinel:gateway/log@0.1.0": crate::bindings::lifecycle::sentinel::gateway::log,
                    "sentinel:gateway/clock@0.1.0": crate::bindings::lifecycle::sentinel::gateway::clock,
                    "sentinel:gateway/http-client@0.1.0": crate::bindings::lifecycle::sentinel::gateway::http_client,
                    "sentinel:gateway/kv@0.1.0": crate::bindings::lifecycle::sentinel::gateway::kv,
                    "sentinel:gateway/metrics@0.1.0": crate::bindings::lifecycle::sentinel::gateway::metrics,
                    "sentinel:gateway/random@0.1.0": crate::bindings::lifecycle::sentinel::gateway::random,
                },
                pub_export_macro: true,
                export_macro_name: $export,
                default_bindings_module: $path,
            });
        }
    };
}

world!(request, "request-guest", "export_request", "::sentinel_sdk::__private::request");
world!(response, "response-guest", "export_response", "::sentinel_sdk::__private::response");
world!(completion, "completion-guest", "export_completion", "::sentinel_sdk::__private::completion");
world!(request_body, "request-body-guest", "export_request_body", "::sentinel_sdk::__private::request_body");
world!(response_body, "response-body-guest", "export_response_body", "::sentinel_sdk::__private::response_body");
