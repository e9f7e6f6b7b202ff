//! The `#[guest]` attribute and the derive macro `ConfigSchema` of `sentinel-sdk`; see there.

mod hooks;
mod implementation;
mod printing;
mod process;
mod schema;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{parse_macro_input, DeriveInput, Item};

/// Make a guest of an `impl Guest for ...` block, or of one function `process`.
///
/// On a block: the hooks written in it are exported, no others, and a method that is no hook is an
/// error. Without `configure` the type needs `Default`.
///
/// ```text
/// #[guest]
/// impl Guest for ApiKeyAuth {
///     fn on_request(&self, request: &mut Request) -> Result<(), Response> { ... }
/// }
/// ```
///
/// On a function, which becomes `on-request`:
///
/// ```text
/// #[guest]
/// fn process(request: Request) -> Result<Request, Response> { ... }
/// ```
///
/// `println!`, `print!`, `eprintln!`, `eprint!` and `dbg!` in it write to the gateway's log. For
/// code elsewhere in the crate `#[macro_use] extern crate sentinel_sdk;` does the same.
///
/// A crate holds one guest.
#[proc_macro_attribute]
pub fn guest(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = proc_macro2::TokenStream::from(arguments);
    if !arguments.is_empty() {
        return syn::Error::new_spanned(arguments, "#[guest] takes no arguments").into_compile_error().into();
    }
    let item = TokenStream::from(printing::to_the_log(item.into()));
    let expanded = match parse_macro_input!(item as Item) {
        Item::Impl(block) => implementation::expand(block),
        Item::Fn(function) => process::expand(function),
        other => Err(syn::Error::new_spanned(other, "#[guest] stands before `impl Guest for ...` or `fn process`")),
    };
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// The JSON Schema of a configuration's type; see the trait of that name in `sentinel-sdk`.
#[proc_macro_derive(ConfigSchema, attributes(schema))]
pub fn config_schema(item: TokenStream) -> TokenStream {
    schema::expand(parse_macro_input!(item as DeriveInput)).unwrap_or_else(syn::Error::into_compile_error).into()
}
