//! The table of hooks: what each is called in Rust, and how it is exported.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Configure,
    Head,
    HeadAndContext,
    Summary,
    Chunk,
}

pub struct Hook {
    /// The method, which is also the function of the generated trait and of the SDK's runtime.
    pub method: &'static str,
    /// The module of the SDK that holds the bindings of the hook's world.
    module: &'static str,
    interface: &'static str,
    export: &'static str,
    shape: Shape,
}

pub const HOOKS: [Hook; 6] = [
    hook("configure", "lifecycle", "lifecycle", "export_lifecycle", Shape::Configure),
    hook("on_request", "request", "request_handler", "export_request", Shape::Head),
    hook("on_response", "response", "response_handler", "export_response", Shape::HeadAndContext),
    hook("on_complete", "completion", "completion_handler", "export_completion", Shape::Summary),
    hook("on_request_chunk", "request_body", "request_body_handler", "export_request_body", Shape::Chunk),
    hook("on_response_chunk", "response_body", "response_body_handler", "export_response_body", Shape::Chunk),
];

/// Of the contract's package.
const VERSION: &str = "0.1.0";

/// The method that is no hook: it tells which of them are called.
pub const NEEDED_HOOKS: &str = "needed_hooks";

const fn hook(
    method: &'static str,
    module: &'static str,
    interface: &'static str,
    export: &'static str,
    shape: Shape,
) -> Hook {
    Hook { method, module, interface, export, shape }
}

impl Hook {
    pub fn find(method: &Ident) -> Option<&'static Hook> {
        HOOKS.iter().find(|hook| method == hook.method)
    }

    pub fn is_configure(&self) -> bool {
        self.shape == Shape::Configure
    }

    /// Whether its arguments may lie where the guest lends the gateway a place for them.
    pub fn takes_lent(&self) -> bool {
        matches!(self.shape, Shape::Head | Shape::HeadAndContext | Shape::Summary)
    }

    /// The core export's name.
    fn name(&self) -> String {
        format!("sentinel:gateway/{}@{VERSION}#{}", self.interface, self.method).replace('_', "-")
    }

    /// Export the hook, by calling `runtime` with the arguments' bytes. The bindings do that from the
    /// type `Exports`; for the hooks of heads, they tell the component's type alone.
    pub fn export(&self, runtime: &TokenStream) -> TokenStream {
        let [method, module, interface, export] =
            [self.method, self.module, self.interface, self.export].map(|name| Ident::new(name, Span::call_site()));
        let name = self.name();
        let bound = |function: TokenStream| {
            quote! {
                impl ::sentinel_sdk::__private::#module::exports::sentinel::gateway::#interface::Guest for Exports {
                    #function
                }
            }
        };
        let exported = match self.shape {
            Shape::Configure => bound(quote! {
                fn #method(config: ::std::vec::Vec<u8>) -> ::std::result::Result<(), ::std::string::String> { #runtime(&config) }
            }),
            Shape::Head => quote! { ::sentinel_sdk::__export_head!(#name, #runtime); },
            Shape::HeadAndContext => quote! { ::sentinel_sdk::__export_head_and_context!(#name, #runtime); },
            Shape::Summary => quote! { ::sentinel_sdk::__export_summary!(#name, #runtime); },
            Shape::Chunk => bound(quote! {
                fn #method(chunk: ::std::vec::Vec<u8>, last: bool, context: ::std::vec::Vec<u8>) -> ::std::vec::Vec<u8> {
                    #runtime(&chunk, last, &context)
                }
            }),
        };
        quote! {
            #exported
            ::sentinel_sdk::__private::#module::#export!(Exports with_types_in ::sentinel_sdk::__private::#module);
        }
    }
}
