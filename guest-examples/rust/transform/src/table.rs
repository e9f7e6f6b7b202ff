//! A table of the configuration that keeps its order, because changes are made in it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use sentinel_sdk::prelude::*;
use sentinel_sdk::SchemaPart;
use serde::de::{Deserializer, MapAccess, Visitor};

#[derive(Clone, Debug)]
pub struct Table<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, V: ConfigSchema> ConfigSchema for Table<K, V> {
    const MEMBERS: &'static [SchemaPart] = <BTreeMap<K, V> as ConfigSchema>::MEMBERS;
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor(PhantomData))
    }
}

struct TableVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for TableVisitor<K, V> {
    type Value = Table<K, V>;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(member) = members.next_entry()? {
            found.push(member);
        }
        Ok(Table(found))
    }
}
