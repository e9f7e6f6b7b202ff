//! One entry of `ops`: an array whose first element is the operation's name. A malformed one is a
//! mistake in the vectors and panics.

use std::fmt;

use sentinel_sdk::{BodyMode, RequestEdits, Response, ResponseEdits};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
pub struct Operation(Vec<Value>);

#[derive(Clone)]
enum Value {
    Nil,
    Number(u64),
    Text(String),
    List(Vec<Value>),
}

impl Operation {
    pub fn name(&self) -> &str {
        self.text(0)
    }

    pub fn text(&self, place: usize) -> &str {
        self.optional_text(place).expect("text")
    }

    pub fn optional_text(&self, place: usize) -> Option<&str> {
        match self.0.get(place) {
            Some(Value::Text(text)) => Some(text),
            None | Some(Value::Nil) => None,
            _ => panic!("element {place} is no text"),
        }
    }

    fn number(&self, place: usize) -> u64 {
        match self.0.get(place) {
            Some(Value::Number(number)) => *number,
            _ => panic!("element {place} is no number"),
        }
    }

    pub fn status(&self, place: usize) -> u16 {
        self.number(place).try_into().expect("a status")
    }

    pub fn nested(&self, place: usize) -> Vec<Operation> {
        let Some(Value::List(entries)) = self.0.get(place) else { panic!("element {place} is no list") };
        let nested = entries.iter().map(|entry| match entry {
            Value::List(values) => Operation(values.clone()),
            _ => panic!("element {place} is no list of lists"),
        });
        nested.collect()
    }

    pub fn body_mode(&self) -> BodyMode {
        self.mode_at(1)
    }

    pub fn mode_at(&self, place: usize) -> BodyMode {
        match self.text(place) {
            "skip" => BodyMode::Skip,
            "stream" => BodyMode::Stream,
            "buffer" => BodyMode::Buffer(self.number(place + 1).try_into().expect("a u32")),
            other => panic!("there is no body mode {other:?}"),
        }
    }
}

pub fn response(operation: &Operation) -> Response {
    let mut response = Response::new(operation.status(1));
    for header in operation.nested(2) {
        response = response.header(header.text(0), header.text(1));
    }
    response.body(operation.text(3))
}

pub fn apply_to_request(operation: &Operation, edits: &mut RequestEdits) {
    let text = || operation.text(1).to_owned();
    match operation.name() {
        "set" => edits.headers.set(operation.text(1), operation.text(2)),
        "append" => edits.headers.append(operation.text(1), operation.text(2)),
        "remove" => edits.headers.remove(operation.text(1)),
        "context" => edits.context = text().into_bytes(),
        "path" => edits.path = Some(text()),
        "query" => edits.query = Some(text()),
        "method" => edits.method = Some(text()),
        "upstream" => edits.upstream = Some(text()),
        "body" => edits.body = operation.body_mode(),
        other => panic!("a held request has no operation {other:?}"),
    }
}

pub fn apply_to_response(operation: &Operation, edits: &mut ResponseEdits) {
    match operation.name() {
        "set" => edits.headers.set(operation.text(1), operation.text(2)),
        "append" => edits.headers.append(operation.text(1), operation.text(2)),
        "remove" => edits.headers.remove(operation.text(1)),
        "status" => edits.status = Some(operation.status(1)),
        "body" => edits.body = operation.body_mode(),
        other => panic!("a held response has no operation {other:?}"),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("nil, a number, text or a list")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }
}
