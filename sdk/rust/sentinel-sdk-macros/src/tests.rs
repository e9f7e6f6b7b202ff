use proc_macro2::TokenStream;
use syn::{parse_quote, ItemImpl};

use crate::{implementation, printing, process};

fn expanded(block: ItemImpl) -> String {
    implementation::expand(block).unwrap().to_string()
}

fn refused(block: ItemImpl) -> Vec<String> {
    implementation::expand(block).unwrap_err().into_iter().map(|error| error.to_string()).collect()
}

/// The export macros that are called.
fn exports(expanded: &str) -> Vec<&str> {
    expanded.split_whitespace().filter(|token| token.starts_with("export_")).collect()
}

#[test]
fn hooks_written_are_hooks_exported() {
    let one = expanded(parse_quote! { impl Guest for G { fn on_complete(&self, summary: &Summary) {} } });
    assert_eq!(exports(&one), ["export_completion"]);
    let all = expanded(parse_quote! {
        impl sentinel_sdk::Guest for G {
            fn on_response_chunk(&self, chunk: &mut ResponseChunk) -> Result<(), Response> { Ok(()) }
            fn on_request_chunk(&self, chunk: &mut RequestChunk) -> Result<(), Response> { Ok(()) }
            fn on_complete(&self, summary: &Summary) {}
            fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> { Ok(()) }
            fn on_request(&self, request: &mut Request) -> Result<(), Response> { Ok(()) }
            fn configure(config: Config) -> Result<Self, String> { Ok(G) }
        }
    });
    let mut all = exports(&all);
    all.sort_unstable();
    assert_eq!(
        all,
        [
            "export_completion",
            "export_lifecycle",
            "export_request",
            "export_request_body",
            "export_response",
            "export_response_body"
        ]
    );
}

#[test]
fn the_configuration_has_the_type_that_configure_takes() {
    let code = expanded(parse_quote! {
        impl Guest for G {
            fn configure(config: my::Config) -> Result<Self, String> { Ok(G) }
            fn on_complete(&self, summary: &Summary) {}
        }
    });
    assert!(code.contains("type Config = my :: Config ;"), "{code}");
    let code = expanded(parse_quote! {
        impl Guest for G {
            type Config = Other;
            fn configure(config: Self::Config) -> Result<Self, String> { Ok(G) }
            fn on_complete(&self, summary: &Summary) {}
        }
    });
    assert_eq!(code.matches("type Config").count(), 1, "{code}");
}

#[test]
fn a_method_that_is_no_hook_is_refused_with_the_list() {
    let errors = refused(parse_quote! {
        impl Guest for G {
            fn on_requst(&self, request: &mut Request) -> Result<(), Response> { Ok(()) }
            fn on_reply(&self) {}
        }
    });
    assert_eq!(errors.len(), 2);
    assert_eq!(
        errors[0],
        "`on_requst` is no hook; the hooks are `configure`, `on_request`, `on_response`, `on_complete`, \
         `on_request_chunk`, `on_response_chunk`"
    );
    assert!(errors[1].starts_with("`on_reply` is no hook"));
}

#[test]
fn a_guest_has_a_hook() {
    let errors = refused(parse_quote! {
        impl Guest for G { fn configure(config: Config) -> Result<Self, String> { Ok(G) } }
    });
    assert!(errors[0].starts_with("a guest has at least one of `on_request`"), "{errors:?}");
}

#[test]
fn only_the_trait_and_one_type() {
    let inherent = refused(parse_quote! { impl G { fn on_complete(&self, summary: &Summary) {} } });
    assert_eq!(inherent, ["#[guest] stands before `impl Guest for ...`"]);
    let generic = refused(parse_quote! { impl<T> Guest for G<T> { fn on_complete(&self, summary: &Summary) {} } });
    assert_eq!(generic, ["a guest is one type, without parameters"]);
}

#[test]
fn one_function_is_on_request() {
    let code: TokenStream = process::expand(parse_quote! {
        fn process(request: Request) -> Result<Request, Response> { Ok(request) }
    })
    .unwrap();
    assert_eq!(exports(&code.to_string()), ["export_request"]);
    let error = process::expand(parse_quote! { fn handle(request: Request) {} }).unwrap_err();
    assert!(error.to_string().contains("fn process(request: Request) -> Result<Request, Response>"));
}

#[test]
fn what_is_printed_goes_to_the_log() {
    let table: [(TokenStream, &str); 5] = [
        (parse_quote! { println!("a {}", 1) }, ":: sentinel_sdk :: println ! (\"a {}\" , 1)"),
        (parse_quote! { if a { f(dbg!(b)); } }, "if a { f (:: sentinel_sdk :: dbg ! (b)) ; }"),
        (parse_quote! { std::eprintln!() }, "std :: eprintln ! ()"),
        (parse_quote! { print(println != 1) }, "print (println != 1)"),
        (parse_quote! { info!("println!") }, "info ! (\"println!\")"),
    ];
    for (written, expected) in table {
        assert_eq!(printing::to_the_log(written).to_string(), expected);
    }
}
