//! The configuration. Fields are written in the order in which the tables list them.

use std::collections::BTreeMap;
use std::fmt;

use sentinel_sdk::prelude::*;
use sentinel_sdk::SchemaPart;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

#[derive(ConfigSchema, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Changes to requests.
    pub request: Edits,
    /// Changes to responses.
    pub response: Edits,
}

#[derive(ConfigSchema, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edits {
    /// Each name and the value that replaces all fields of that name.
    set: Fields,
    /// Each name and the value of a further field.
    append: Fields,
    /// Names of fields.
    remove: Vec<HeaderName>,
}

impl Edits {
    /// Removals first, so that a field can be removed and added anew.
    pub fn into_edits(self) -> HeaderEdits {
        let mut edits = HeaderEdits::new();
        for name in &self.remove {
            edits.remove(name);
        }
        for (name, value) in &self.set.0 {
            edits.set(name, value);
        }
        for (name, value) in &self.append.0 {
            edits.append(name, value);
        }
        edits
    }
}

/// A table of names and values that keeps its order.
#[derive(Default)]
struct Fields(Vec<(HeaderName, HeaderValue)>);

impl ConfigSchema for Fields {
    const MEMBERS: &'static [SchemaPart] = <BTreeMap<HeaderName, HeaderValue> as ConfigSchema>::MEMBERS;
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a table of header names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::with_capacity(table.size_hint().unwrap_or(0));
        while let Some(name) = table.next_key::<HeaderName>()? {
            let value: String = table.next_value()?;
            let value =
                HeaderValue::parse(&value).map_err(|error| A::Error::custom(format_args!("{}: {error}", &*name)))?;
            fields.push((name, value));
        }
        Ok(Fields(fields))
    }
}
