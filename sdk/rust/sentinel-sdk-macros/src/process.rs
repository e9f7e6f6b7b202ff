//! `#[guest]` on `fn process`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

use crate::hooks::{Hook, HOOKS};

pub fn expand(function: ItemFn) -> Result<TokenStream> {
    let name = &function.sig.ident;
    if name != "process" {
        return Err(Error::new(
            name.span(),
            "the function of a guest is `fn process(request: Request) -> Result<Request, Response>`",
        ));
    }
    let export = on_request().export(&quote! { process_on });
    Ok(quote! {
        // Natively only tests call it.
        #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
        #function

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            fn process_on(head: &[u8]) -> ::std::vec::Vec<u8> { ::sentinel_sdk::__private::process(head, process) }
            struct Exports;
            #export
            ::sentinel_sdk::__export_argument_area!();
        };
    })
}

fn on_request() -> &'static Hook {
    HOOKS.iter().find(|hook| hook.method == "on_request").expect("a hook of the table")
}
