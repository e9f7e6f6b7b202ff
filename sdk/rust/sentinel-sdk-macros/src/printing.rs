//! `println!` and its kin in a guest's code: WebAssembly has no standard output, so they become
//! those of the SDK.

use proc_macro2::{Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::quote;

const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// The same code with `::sentinel_sdk::` before each of the macros that is called by its bare name.
pub fn to_the_log(code: TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    let mut tokens = code.into_iter().peekable();
    let mut colons = 0;
    while let Some(token) = tokens.next() {
        if let TokenTree::Group(group) = token {
            let mut rewritten = Group::new(group.delimiter(), to_the_log(group.stream()));
            rewritten.set_span(group.span());
            out.extend([TokenTree::Group(rewritten)]);
            colons = 0;
            continue;
        }
        // Of `!=` the first half is joint with the second.
        let called = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '!' && next.spacing() == Spacing::Alone);
        if called && colons < 2 && is_printing(&token) {
            let sdk = Ident::new("sentinel_sdk", Span::call_site());
            out.extend(quote! { ::#sdk:: });
        }
        let colon = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ':');
        colons = if colon { colons + 1 } else { 0 };
        out.extend([token]);
    }
    out
}

fn is_printing(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(name) if MACROS.iter().any(|printing| name == printing))
}
