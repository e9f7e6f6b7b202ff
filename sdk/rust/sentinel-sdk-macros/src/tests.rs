use proc_macro2::TokenStream;
use syn::{parse_quote, ItemImpl};

use crate::{implementation, printing, process, schema};

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
fn which_hooks_are_needed_is_an_export_of_its_own() {
    let told = expanded(parse_quote! { impl Guest for G {
        fn needed_hooks(&self) -> NeededHooks { NeededHooks::ALL }
        fn on_complete(&self, summary: &Summary) {}
    } });
    assert_eq!(exports(&told), ["export_completion"]);
    assert!(told.contains("sentinel_needed_hooks"), "{told}");
    let alone =
        refused(parse_quote! { impl Guest for G { fn needed_hooks(&self) -> NeededHooks { NeededHooks::ALL } } });
    assert!(alone[0].starts_with("a guest has at least one of `on_request`"), "{alone:?}");
}

#[test]
fn hooks_of_heads_are_exported_with_a_place_for_their_arguments() {
    let names = [
        ("on_request", "request-handler@0.1.0#on-request"),
        ("on_response", "response-handler@0.1.0#on-response"),
        ("on_complete", "completion-handler@0.1.0#on-complete"),
    ];
    for (method, export) in names {
        let method = syn::Ident::new(method, proc_macro2::Span::call_site());
        let code = expanded(parse_quote! { impl Guest for G { fn #method(&self) {} } });
        assert!(code.contains(&format!("\"sentinel:gateway/{export}\"")), "{code}");
        assert_eq!(code.matches("__export_argument_area").count(), 1, "{code}");
    }
    let chunks = expanded(parse_quote! { impl Guest for G { fn on_request_chunk(&self) {} } });
    assert!(!chunks.contains("__export_argument_area"), "{chunks}");
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

/// The texts of a schema, with a `_` for each other type's.
fn schema_of(item: syn::DeriveInput) -> String {
    let code = schema::expand(item).unwrap().to_string();
    let parts = code.split(":: sentinel_sdk :: SchemaPart :: ").skip(1);
    let shown = parts.map(|part| match part.strip_prefix("Text (") {
        Some(rest) => {
            let literal = &rest[..rest.rfind(')').unwrap()];
            syn::parse_str::<syn::LitStr>(literal).unwrap().value()
        }
        None => "_".into(),
    });
    shown.collect()
}

#[test]
fn a_schema_follows_serde() {
    let schema = schema_of(parse_quote! {
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        struct Config {
            first_key: String,
            #[serde(rename = "2nd")]
            second: Other,
            #[serde(default = "three")]
            third: u8,
            fourth: Option<bool>,
            #[serde(skip)]
            fifth: Vec<u8>,
            #[serde(alias = "6", with = "module", bound(deserialize = "T"))]
            r#sixth: i64,
        }
    });
    let expected = concat!(
        r#""type":"object","properties":{"first-key":{_},"2nd":{_},"third":{"type":"integer","minimum":0,"maximum":255},"#,
        r#""fourth":{_},"sixth":{"type":"integer"}},"required":["first-key","2nd","sixth"],"additionalProperties":false"#,
    );
    assert_eq!(schema, expected);
    let schema = schema_of(parse_quote! { #[serde(default)] struct Config { a: String } });
    assert_eq!(schema, r#""type":"object","properties":{"a":{_}}"#);
}

#[test]
fn comments_and_keywords_are_in_the_schema() {
    let schema = schema_of(parse_quote! {
        struct Config {
            /// Says "why",
            ///
            /// in two lines.
            #[schema(default = "a\\b", max_length = 8)]
            text: String,
            #[schema(minimum = -1, maximum = 7, default = 0)]
            number: i32,
            #[schema(default = true)]
            flag: bool,
            #[schema(minimum = 0.5)]
            share: f64,
        }
    });
    let expected = concat!(
        r#""type":"object","properties":{"text":{_,"description":"Says \"why\", in two lines.","default":"a\\b","maxLength":8},"#,
        r#""number":{"type":"integer","minimum":-1,"maximum":7,"default":0},"flag":{_,"default":true},"#,
        r#""share":{_,"minimum":0.5}},"required":["text","number","flag","share"]"#,
    );
    assert_eq!(schema, expected);
}

#[test]
fn an_enum_is_its_names() {
    for (case, expected) in [
        ("lowercase", r#""enum":["onefish","a b"]"#),
        ("kebab-case", r#""enum":["one-fish","a b"]"#),
        ("snake_case", r#""enum":["one_fish","a b"]"#),
        ("camelCase", r#""enum":["oneFish","a b"]"#),
        ("PascalCase", r#""enum":["OneFish","a b"]"#),
        ("SCREAMING_SNAKE_CASE", r#""enum":["ONE_FISH","a b"]"#),
    ] {
        let schema = schema_of(parse_quote! {
            #[serde(rename_all = #case)]
            enum Kind { OneFish, #[serde(rename = "a b")] Two }
        });
        assert_eq!(schema, expected, "{case}");
    }
    assert_eq!(schema_of(parse_quote! { enum Kind { OneFish } }), r#""enum":["OneFish"]"#);
}

#[test]
fn what_has_no_schema_is_refused() {
    let refused = |item| schema::expand(item).unwrap_err().to_string();
    assert_eq!(refused(parse_quote! { struct A(u8); }), "a configuration is a struct with named fields");
    assert_eq!(refused(parse_quote! { enum A { B(u8) } }), "an enum of a configuration has variants without fields");
    assert_eq!(refused(parse_quote! { union A { b: u8 } }), "a configuration is no union");
    assert_eq!(
        refused(parse_quote! { struct A { #[schema(default = b"x")] a: u8 } }),
        "expected text, a number or a boolean"
    );
}
