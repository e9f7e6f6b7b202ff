//! `#[derive(ConfigSchema)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{parenthesized, Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Lit, LitStr, Result, Token, Type};

pub fn expand(input: DeriveInput) -> Result<TokenStream> {
    let serde = Serde::read(&input.attrs)?;
    let mut parts = Parts::default();
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => object(&mut parts, fields.named.iter(), &serde)?,
            _ => return Err(Error::new_spanned(&input.ident, "a configuration is a struct with named fields")),
        },
        Data::Enum(data) => {
            let mut names = Vec::new();
            for variant in &data.variants {
                if !matches!(variant.fields, Fields::Unit) {
                    return Err(Error::new_spanned(variant, "an enum of a configuration has variants without fields"));
                }
                names.push(json(
                    &Serde::read(&variant.attrs)?.name(&variant.ident.unraw().to_string(), serde.rename_all.as_deref()),
                ));
            }
            parts.text(&format!(r#""enum":[{}]"#, names.join(",")));
        }
        Data::Union(_) => return Err(Error::new_spanned(&input.ident, "a configuration is no union")),
    }
    let (name, parts) = (&input.ident, parts.finish());
    Ok(quote! {
        impl ::sentinel_sdk::ConfigSchema for #name {
            const MEMBERS: &'static [::sentinel_sdk::SchemaPart] = &[#(#parts),*];
        }
    })
}

fn object<'a>(parts: &mut Parts, fields: impl Iterator<Item = &'a Field>, container: &Serde) -> Result<()> {
    parts.text(r#""type":"object","properties":{"#);
    let mut required = Vec::new();
    let mut separator = "";
    for field in fields {
        let serde = Serde::read(&field.attrs)?;
        if serde.skip {
            continue;
        }
        let ident = field.ident.as_ref().expect("a named field").unraw().to_string();
        let name = json(&serde.name(&ident, container.rename_all.as_deref()));
        parts.text(&format!("{separator}{name}:{{"));
        property(parts, field)?;
        parts.text("}");
        separator = ",";
        if !serde.default && !container.default && !is_option(&field.ty) {
            required.push(name);
        }
    }
    parts.text("}");
    if !required.is_empty() {
        parts.text(&format!(r#","required":[{}]"#, required.join(",")));
    }
    if container.deny_unknown_fields {
        parts.text(r#","additionalProperties":false"#);
    }
    Ok(())
}

fn property(parts: &mut Parts, field: &Field) -> Result<()> {
    let mut keywords = keywords(&field.attrs)?;
    match range(&field.ty) {
        // A bound of the author's takes the place of the type's.
        Some(range) => {
            parts.text(r#""type":"integer""#);
            for (name, bound) in range {
                let own = keywords.iter().position(|(keyword, _)| keyword == name);
                let bound = own.map(|place| keywords.remove(place).1).or(bound.map(str::to_owned));
                if let Some(bound) = bound {
                    parts.text(&format!(",\"{name}\":{bound}"));
                }
            }
        }
        None => parts.nested(&field.ty),
    }
    let description = description(&field.attrs);
    if !description.is_empty() {
        parts.text(&format!(",\"description\":{}", json(&description)));
    }
    for (name, value) in keywords {
        parts.text(&format!(",{}:{value}", json(&name)));
    }
    Ok(())
}

/// The bounds of an integer type; a guest's `usize` has 32 bits.
fn range(kind: &Type) -> Option<[(&'static str, Option<&'static str>); 2]> {
    let Type::Path(path) = kind else { return None };
    let (least, most) = match path.path.get_ident()?.to_string().as_str() {
        "u8" => (Some("0"), Some("255")),
        "u16" => (Some("0"), Some("65535")),
        "u32" | "usize" => (Some("0"), Some("4294967295")),
        "u64" => (Some("0"), None),
        "i8" => (Some("-128"), Some("127")),
        "i16" => (Some("-32768"), Some("32767")),
        "i32" | "isize" => (Some("-2147483648"), Some("2147483647")),
        "i64" => (None, None),
        _ => return None,
    };
    Some([("minimum", least), ("maximum", most)])
}

fn is_option(kind: &Type) -> bool {
    matches!(kind, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"))
}

/// The pieces of a schema; neighbouring texts are one.
#[derive(Default)]
struct Parts {
    done: Vec<TokenStream>,
    text: String,
}

impl Parts {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn nested(&mut self, kind: &Type) {
        self.flush();
        self.done.push(quote! {
            ::sentinel_sdk::SchemaPart::Nested(<#kind as ::sentinel_sdk::ConfigSchema>::MEMBERS)
        });
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.done.push(quote! { ::sentinel_sdk::SchemaPart::Text(#text) });
        }
    }

    fn finish(mut self) -> Vec<TokenStream> {
        self.flush();
        self.done
    }
}

/// What serde is told about a container, field or variant, as far as it shows in the schema.
#[derive(Default)]
struct Serde {
    rename: Option<String>,
    rename_all: Option<String>,
    default: bool,
    deny_unknown_fields: bool,
    skip: bool,
}

impl Serde {
    fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut serde = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") && meta.input.peek(Token![=]) {
                    serde.rename = Some(meta.value()?.parse::<LitStr>()?.value());
                    return Ok(());
                }
                if meta.path.is_ident("rename_all") && meta.input.peek(Token![=]) {
                    serde.rename_all = Some(meta.value()?.parse::<LitStr>()?.value());
                    return Ok(());
                }
                serde.default |= meta.path.is_ident("default");
                serde.deny_unknown_fields |= meta.path.is_ident("deny_unknown_fields");
                serde.skip |= meta.path.is_ident("skip") || meta.path.is_ident("skip_deserializing");
                pass_over(&meta)
            })?;
        }
        Ok(serde)
    }

    fn name(&self, written: &str, case: Option<&str>) -> String {
        self.rename.clone().unwrap_or_else(|| renamed(written, case))
    }
}

fn pass_over(meta: &ParseNestedMeta) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse::<TokenStream>()?;
    }
    Ok(())
}

/// A field's or variant's name under `rename_all`.
fn renamed(written: &str, case: Option<&str>) -> String {
    let Some(case) = case else { return written.into() };
    let mut words: Vec<String> = Vec::new();
    for character in written.chars() {
        match (character, words.last_mut()) {
            ('_', _) => words.push(String::new()),
            (upper, last) if upper.is_uppercase() && last.as_ref().is_none_or(|word| !word.is_empty()) => {
                words.push(upper.to_lowercase().collect());
            }
            (other, Some(word)) => word.extend(other.to_lowercase()),
            (other, None) => words.push(other.to_lowercase().collect()),
        }
    }
    let capital = |word: &String| word[..1].to_uppercase() + &word[1..];
    match case {
        "lowercase" => words.concat(),
        "UPPERCASE" => words.concat().to_uppercase(),
        "kebab-case" => words.join("-"),
        "SCREAMING-KEBAB-CASE" => words.join("-").to_uppercase(),
        "SCREAMING_SNAKE_CASE" => words.join("_").to_uppercase(),
        "PascalCase" => words.iter().map(capital).collect(),
        "camelCase" => words.iter().take(1).cloned().chain(words.iter().skip(1).map(capital)).collect(),
        _ => words.join("_"),
    }
}

/// The comment before an item, as one line.
fn description(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The keywords of `#[schema(max_length = 8)]`: JSON Schema's name, and the value as JSON.
fn keywords(attributes: &[Attribute]) -> Result<Vec<(String, String)>> {
    let mut keywords = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("schema")) {
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.require_ident()?.to_string();
            let sign = if meta.value()?.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
            let value = match meta.input.parse::<Lit>()? {
                Lit::Str(text) => json(&text.value()),
                Lit::Int(number) => format!("{sign}{}", number.base10_digits()),
                Lit::Float(number) => format!("{sign}{}", number.base10_digits()),
                Lit::Bool(value) => value.value.to_string(),
                other => return Err(Error::new_spanned(other, "expected text, a number or a boolean")),
            };
            keywords.push((renamed(&name, Some("camelCase")), value));
            Ok(())
        })?;
    }
    Ok(keywords)
}

fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}
