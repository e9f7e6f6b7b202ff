//! A value of the configuration as JSON text.

use std::fmt;

use sentinel_sdk::prelude::*;
use sentinel_sdk::SchemaPart;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::json::put_string;

#[derive(Clone, Debug)]
pub struct Literal(pub String);

impl ConfigSchema for Literal {
    /// Anything.
    const MEMBERS: &'static [SchemaPart] = &[];
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LiteralVisitor)
    }
}

struct LiteralVisitor;

impl<'de> Visitor<'de> for LiteralVisitor {
    type Value = Literal;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Literal, E> {
        Ok(Literal(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Literal, E> {
        Ok(Literal(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Literal, E> {
        Ok(Literal(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Literal, E> {
        if !value.is_finite() {
            return Err(E::custom("JSON has no such number"));
        }
        Ok(Literal(format!("{value:?}")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Literal, E> {
        let mut out = String::new();
        put_string(&mut out, value);
        Ok(Literal(out))
    }

    fn visit_unit<E: Error>(self) -> Result<Literal, E> {
        Ok(Literal("null".into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Literal, A::Error> {
        let mut out = String::from("[");
        while let Some(Literal(item)) = items.next_element()? {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&item);
        }
        out.push(']');
        Ok(Literal(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Literal, A::Error> {
        let mut out = String::from("{");
        while let Some(name) = members.next_key::<String>()? {
            if out.len() > 1 {
                out.push(',');
            }
            put_string(&mut out, &name);
            out.push(':');
            out.push_str(&members.next_value::<Literal>()?.0);
        }
        out.push('}');
        Ok(Literal(out))
    }
}
