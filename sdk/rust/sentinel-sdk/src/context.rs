//! Values that travel from `on_request` to the later hooks of the same request: MessagePack,
//! records as arrays.

use serde::{Deserialize, Serialize};

use crate::de::{self, Structs};

pub(crate) fn encode(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap_or_else(|error| panic!("the context cannot be encoded: {error}"))
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(context: &'a [u8]) -> Option<T> {
    if context.is_empty() {
        return None;
    }
    let decoded = de::from_slice(context, Structs::MapsOrArrays);
    Some(decoded.unwrap_or_else(|error| panic!("the context is not what on_request left: {error}")))
}
