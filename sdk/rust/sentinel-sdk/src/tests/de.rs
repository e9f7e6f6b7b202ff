use std::collections::BTreeMap;

use serde::Deserialize;

use super::hex;
use crate::context;
use crate::de::{self, Structs};

#[derive(Debug, PartialEq, Deserialize, serde::Serialize)]
struct Everything {
    unsigned: u64,
    signed: i8,
    float: f64,
    yes: bool,
    text: String,
    none: Option<u8>,
    some: Option<u8>,
    list: Vec<(u8, String)>,
    map: BTreeMap<String, u16>,
    unit: Choice,
    newtype: Choice,
    tuple: Choice,
    record: Choice,
}

#[derive(Debug, PartialEq, Deserialize, serde::Serialize)]
enum Choice {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Record { field: String },
}

#[test]
fn a_context_survives_the_journey() {
    let everything = Everything {
        unsigned: u64::MAX,
        signed: -5,
        float: 1.5,
        yes: true,
        text: "ü".into(),
        none: None,
        some: Some(0),
        list: vec![(1, "a".into()), (2, "b".into())],
        map: [("k".to_owned(), 300)].into(),
        unit: Choice::Unit,
        newtype: Choice::Newtype(1),
        tuple: Choice::Tuple(1, 2),
        record: Choice::Record { field: "f".into() },
    };
    assert_eq!(context::decode(&context::encode(&everything)), Some(everything));
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Config {
    #[serde(default)]
    list: Vec<u8>,
    #[serde(default)]
    secrets: BTreeMap<String, u8>,
    inner: Option<Box<Config>>,
}

fn error(bytes: &str) -> String {
    de::from_slice::<Config>(&hex(bytes), Structs::Maps).unwrap_err().to_string()
}

#[test]
fn errors_name_the_place() {
    // {"list": [1, "x"]}
    assert_eq!(error("81 a46c697374 92 01 a178"), "list[1]: expected u8, found string");
    // {"inner": {"list": 7}}
    assert_eq!(error("81 a5696e6e6572 81 a46c697374 07"), "inner.list: expected a sequence, found integer");
    // {"inner": {"lost": 7}}
    assert!(error("81 a5696e6e6572 81 a46c6f7374 07").starts_with("inner: unknown field `lost`"));
}

#[test]
fn errors_keep_values_and_the_keys_of_maps_to_themselves() {
    // {"secrets": {"hush": "x"}}
    let error = error("81 a773656372657473 81 a468757368 a178");
    assert_eq!(error, "secrets.*: expected u8, found string");
}

/// serde's structs take their fields as an array too, which is how a context is written, and no
/// configuration.
#[test]
fn a_configuration_s_structs_are_maps() {
    // [[1]], and {"inner": [[1]]}
    assert_eq!(error("91 91 01"), "expected a map, found array");
    assert_eq!(error("81 a5696e6e6572 91 91 01"), "inner: expected a map, found array");
    assert_eq!(error("81 a46c697374 a2c328"), "list: the string is not UTF-8");
    let read: (u8, Pair) = de::from_slice(&hex("92 01 92 02 03"), Structs::MapsOrArrays).unwrap();
    assert_eq!(read, (1, Pair { a: 2, b: 3 }));
}

#[derive(Debug, PartialEq, Deserialize)]
struct Pair {
    a: u8,
    b: u8,
}

#[test]
fn all_of_the_bytes_are_one_value() {
    assert_eq!(error("80 80"), "not MessagePack");
    assert_eq!(error("81"), "not MessagePack");
    assert!(de::from_slice::<(u8, u8)>(&hex("93 01 02 03"), Structs::Maps)
        .unwrap_err()
        .to_string()
        .contains("too many elements, by 1"));
}
