//! `#[guest]` on `impl Guest for ...`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{parse_quote, Error, FnArg, Ident, ImplItem, ItemImpl, Result, Type};

use crate::hooks::{Hook, HOOKS, NEEDED_HOOKS};

pub fn expand(mut block: ItemImpl) -> Result<TokenStream> {
    check_header(&block)?;
    let written = written_hooks(&block)?;
    if written.iter().all(|hook| hook.is_configure()) {
        return Err(Error::new_spanned(&block.self_ty, format!("a guest has at least one of {}", list(false))));
    }
    let is_configured = written.iter().any(|hook| hook.is_configure());
    complete(&mut block, is_configured);

    let guest = &block.self_ty;
    let unconfigured = if is_configured {
        quote! { ::std::panic!("the host called a hook before configure") }
    } else {
        quote! { <#guest as ::std::default::Default>::default() }
    };
    let needed = tells_needed(&block).then(|| {
        quote! {
            #[unsafe(export_name = "sentinel_needed_hooks")]
            #[allow(unsafe_code)]
            extern "C" fn needed_hooks() -> i32 { ::sentinel_sdk::__private::needed_hooks::<#guest>() }
        }
    });
    let area =
        written.iter().any(|hook| hook.takes_lent()).then(|| quote! { ::sentinel_sdk::__export_argument_area!(); });
    let exports = written.iter().map(|hook| {
        let method = Ident::new(hook.method, Span::call_site());
        hook.export(&quote! { ::sentinel_sdk::__private::#method::<#guest> })
    });
    Ok(quote! {
        #block

        // Without the exports nothing else makes a guest: natively the compiler would call it dead
        // code.
        const _: fn(<#guest as ::sentinel_sdk::Guest>::Config) -> ::std::result::Result<#guest, ::std::string::String> = <#guest as ::sentinel_sdk::Guest>::configure;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static CELL: ::std::cell::OnceCell<#guest> = const { ::std::cell::OnceCell::new() };
            }
            impl ::sentinel_sdk::__private::Hosted for #guest {
                fn cell() -> &'static ::std::thread::LocalKey<::std::cell::OnceCell<Self>> { &CELL }
                fn unconfigured() -> Self { #unconfigured }
            }
            struct Exports;
            #(#exports)*
            #needed
            #area
        };
    })
}

fn check_header(block: &ItemImpl) -> Result<()> {
    let is_guest = block.trait_.as_ref().is_some_and(|(path, _)| {
        block.modifiers.polarity.is_none() && path.segments.last().is_some_and(|segment| segment.ident == "Guest")
    });
    if !is_guest {
        return Err(Error::new_spanned(&block.self_ty, "#[guest] stands before `impl Guest for ...`"));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new_spanned(&block.generics, "a guest is one type, without parameters"));
    }
    Ok(())
}

/// The hooks in the block, or an error for each method that is none.
fn written_hooks(block: &ItemImpl) -> Result<Vec<&'static Hook>> {
    let mut hooks = Vec::new();
    let mut errors: Option<Error> = None;
    for item in &block.items {
        let ImplItem::Fn(function) = item else { continue };
        let name = &function.sig.ident;
        if name == NEEDED_HOOKS {
            continue;
        }
        match Hook::find(name) {
            Some(hook) => hooks.push(hook),
            None => {
                let error = Error::new(name.span(), format!("`{name}` is no hook; the hooks are {}", list(true)));
                match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                }
            }
        }
    }
    errors.map_or(Ok(hooks), Err)
}

fn tells_needed(block: &ItemImpl) -> bool {
    block.items.iter().any(|item| matches!(item, ImplItem::Fn(function) if function.sig.ident == NEEDED_HOOKS))
}

fn list(with_configure: bool) -> String {
    let hooks = HOOKS.iter().filter(|hook| with_configure || !hook.is_configure());
    hooks.map(|hook| format!("`{}`", hook.method)).collect::<Vec<_>>().join(", ")
}

/// Add what the author left out: the type of the configuration, or `configure` as a whole.
fn complete(block: &mut ItemImpl, is_configured: bool) {
    let has_type = block.items.iter().any(|item| matches!(item, ImplItem::Type(alias) if alias.ident == "Config"));
    if !is_configured {
        if !has_type {
            block.items.push(parse_quote! { type Config = ::sentinel_sdk::__private::IgnoredAny; });
        }
        block.items.push(parse_quote! {
            fn configure(_: Self::Config) -> ::std::result::Result<Self, ::std::string::String> {
                ::std::result::Result::Ok(::std::default::Default::default())
            }
        });
    } else if !has_type {
        if let Some(config) = configuration(block) {
            block.items.push(parse_quote! { type Config = #config; });
        }
    }
}

fn configuration(block: &ItemImpl) -> Option<Type> {
    block.items.iter().find_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == "configure" => match function.sig.inputs.first() {
            Some(FnArg::Typed(argument)) => Some((*argument.ty).clone()),
            _ => None,
        },
        _ => None,
    })
}
