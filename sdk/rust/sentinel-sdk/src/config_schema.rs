//! The configuration's schema, put together while the guest is compiled: no guest carries code for
//! it.

use std::collections::{BTreeMap, HashMap};

use crate::headers::{HeaderName, HeaderValue};
use crate::log::Level;

/// A piece of a schema's text.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// JSON as it is.
    Text(&'static str),
    /// The pieces of another schema.
    Nested(&'static [Part]),
}

use Part::{Nested, Text};

/// A type that a configuration may have, and its JSON Schema. Derive it for structs and for enums
/// without fields:
///
/// ```
/// use sentinel_sdk::{prelude::*, testing};
///
/// #[derive(Deserialize, ConfigSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Config {
///     /// Requests in 24 hours.
///     #[schema(minimum = 1)]
///     limit: u32,
///     #[serde(default)]
///     #[schema(default = "x-principal")]
///     header: Option<HeaderName>,
/// }
///
/// assert_eq!(
///     testing::config_schema::<Config>(),
///     concat!(
///         r#"{"type":"object","properties":{"#,
///         r#""limit":{"type":"integer","minimum":1,"maximum":4294967295,"description":"Requests in 24 hours."},"#,
///         r#""header":{"type":"string","default":"x-principal"}},"#,
///         r#""required":["limit"],"additionalProperties":false}"#,
///     ),
/// );
/// ```
///
/// It follows serde's `rename`, `rename_all`, `default`, `skip` and `deny_unknown_fields`. Comments
/// become descriptions. What stands in `#[schema(..)]`, such as `minimum`, `max_length` or
/// `default`, becomes a keyword of the field's schema.
pub trait ConfigSchema {
    /// The members of the schema's object, without its braces.
    const MEMBERS: &'static [Part];
}

/// Put the schema of a configuration into the guest: `sentinel check` holds what is configured to
/// it before the guest is started, and `sentinel inspect` prints it. A crate has one.
///
/// ```text
/// config_schema!(Config);
/// ```
#[macro_export]
macro_rules! config_schema {
    ($config:ty) => {
        const _: () = {
            const SCHEMA: &[$crate::SchemaPart] = $crate::__private::whole::<$config>();
            #[cfg(target_arch = "wasm32")]
            #[allow(unsafe_code)]
            #[used]
            #[unsafe(link_section = "sentinel:config-schema")]
            static SECTION: [u8; $crate::__private::length(SCHEMA)] = $crate::__private::write(SCHEMA);
        };
    };
}

struct Whole<T>(T);

impl<T: ConfigSchema> Whole<T> {
    const PARTS: &'static [Part] = &[Text("{"), Nested(T::MEMBERS), Text("}")];
}

/// The schema of `T`.
pub const fn whole<T: ConfigSchema>() -> &'static [Part] {
    Whole::<T>::PARTS
}

/// The number of bytes in `parts`.
pub const fn length(parts: &[Part]) -> usize {
    let (mut total, mut index) = (0, 0);
    while index < parts.len() {
        total += match parts[index] {
            Text(text) => text.len(),
            Nested(nested) => length(nested),
        };
        index += 1;
    }
    total
}

/// The text of `parts`, which has this length.
pub const fn write<const LENGTH: usize>(parts: &[Part]) -> [u8; LENGTH] {
    let mut out = [0; LENGTH];
    fill(parts, &mut out, 0);
    out
}

const fn fill(parts: &[Part], out: &mut [u8], mut at: usize) -> usize {
    let mut index = 0;
    while index < parts.len() {
        match parts[index] {
            Text(text) => {
                let mut place = 0;
                while place < text.len() {
                    out[at] = text.as_bytes()[place];
                    at += 1;
                    place += 1;
                }
            }
            Nested(nested) => at = fill(nested, out, at),
        }
        index += 1;
    }
    at
}

macro_rules! plain {
    ($($text:literal: $($kind:ty),+;)+) => {
        $($(impl ConfigSchema for $kind {
            const MEMBERS: &'static [Part] = &[Text($text)];
        })+)+
    };
}

// A guest's `usize` has 32 bits.
plain! {
    r#""type":"string""#: String, HeaderName, HeaderValue;
    r#""type":"boolean""#: bool;
    r#""type":"number""#: f32, f64;
    r#""type":"integer","minimum":0,"maximum":255"#: u8;
    r#""type":"integer","minimum":0,"maximum":65535"#: u16;
    r#""type":"integer","minimum":0,"maximum":4294967295"#: u32, usize;
    r#""type":"integer","minimum":0"#: u64;
    r#""type":"integer","minimum":-128,"maximum":127"#: i8;
    r#""type":"integer","minimum":-32768,"maximum":32767"#: i16;
    r#""type":"integer","minimum":-2147483648,"maximum":2147483647"#: i32, isize;
    r#""type":"integer""#: i64;
    r#""enum":["trace","debug","info","warn","error"]"#: Level;
}

impl<T: ConfigSchema> ConfigSchema for Option<T> {
    const MEMBERS: &'static [Part] = T::MEMBERS;
}

impl<T: ConfigSchema> ConfigSchema for Vec<T> {
    const MEMBERS: &'static [Part] = &[Text(r#""type":"array","items":{"#), Nested(T::MEMBERS), Text("}")];
}

impl<K, T: ConfigSchema> ConfigSchema for BTreeMap<K, T> {
    const MEMBERS: &'static [Part] =
        &[Text(r#""type":"object","additionalProperties":{"#), Nested(T::MEMBERS), Text("}")];
}

impl<K, T: ConfigSchema> ConfigSchema for HashMap<K, T> {
    const MEMBERS: &'static [Part] = <BTreeMap<K, T> as ConfigSchema>::MEMBERS;
}
