//! The views read the records of `wit/types.wit`, field by field: each record is made from the WIT
//! file, with the field's own name as the value of each text, and must come out under that name.

use crate::wire::{put_array, put_bin, put_str, put_unsigned};
use crate::{IncomingResponse, Request, Summary};

const TYPES: &str = include_str!("../../wit/types.wit");

/// Name and type of each field of a record, in order.
fn fields(record: &str) -> Vec<(&'static str, &'static str)> {
    let start = TYPES.find(&format!("record {record} {{")).expect("a record of the contract");
    let body = TYPES[start..].split_once('{').unwrap().1.split_once("\n    }").unwrap().0;
    let lines = body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("///"));
    lines.map(|line| line.trim_end_matches(',').split_once(": ").expect("a field and its type")).collect()
}

/// The record with each text its field's name, each number the field's place.
fn payload(record: &str) -> Vec<u8> {
    let fields = fields(record);
    let mut out = Vec::new();
    put_array(&mut out, fields.len() as u32);
    for (place, (name, kind)) in fields.into_iter().enumerate() {
        match kind {
            "string" | "option<string>" => put_str(&mut out, name),
            "u16" | "u32" | "u64" | "option<u64>" => put_unsigned(&mut out, place as u64),
            "list<header>" => {
                out.extend([0x91, 0x92]);
                put_str(&mut out, "name");
                put_bin(&mut out, b"value");
            }
            "option<client-certificate>" => {
                put_array(&mut out, 4);
                put_str(&mut out, name);
                put_array(&mut out, 0);
                put_str(&mut out, "");
                out.push(0xc3);
            }
            "response-origin" | "outcome" => put_unsigned(&mut out, 2),
            other => panic!("{record}.{name}: no value for {other}"),
        }
    }
    out
}

fn place(record: &str, field: &str) -> u64 {
    fields(record).iter().position(|(name, _)| *name == field).expect("a field") as u64
}

#[test]
fn request_head() {
    let payload = payload("request-head");
    let request = Request::decode(&payload);
    let head = request.head();
    let read = [
        head.method(),
        head.path(),
        head.query().unwrap(),
        std::str::from_utf8(head.header("name").unwrap()).unwrap(),
        head.scheme(),
        head.authority(),
        head.client(),
        head.request_id(),
        head.route(),
        head.http_version(),
        head.client_certificate().unwrap().subject,
    ];
    let names = fields("request-head").into_iter().map(|(name, _)| if name == "headers" { "value" } else { name });
    assert_eq!(read.to_vec(), names.collect::<Vec<_>>());
}

#[test]
fn response_head() {
    let payload = payload("response-head");
    let response = IncomingResponse::decode(&payload, b"");
    assert_eq!(u64::from(response.status()), place("response-head", "status"));
    assert_eq!(response.header("name").as_deref(), Some(&b"value"[..]));
    assert_eq!(response.origin().as_str(), "gateway");
    assert_eq!(fields("response-head").len(), 3);
}

#[test]
fn summary() {
    let payload = payload("summary");
    let summary = Summary::decode(&payload, b"");
    for (name, read) in [
        ("request-id", summary.request_id),
        ("method", summary.method),
        ("path", summary.path),
        ("query", summary.query.unwrap()),
        ("route", summary.route),
        ("authority", summary.authority),
        ("client", summary.client),
        ("http-version", summary.http_version),
        ("upstream", summary.upstream.unwrap()),
        ("endpoint", summary.endpoint.unwrap()),
    ] {
        assert_eq!(read, name);
    }
    for (name, read) in [
        ("started-at", summary.started_at),
        ("duration", summary.duration),
        ("status", summary.status.into()),
        ("request-bytes", summary.request_bytes),
        ("response-bytes", summary.response_bytes),
        ("upstream-duration", summary.upstream_duration.unwrap()),
        ("tries", summary.tries.into()),
    ] {
        assert_eq!(read, place("summary", name), "{name}");
    }
    assert_eq!((summary.outcome.as_str(), summary.origin.as_str()), ("upstream-aborted", "gateway"));
    assert_eq!(fields("summary").len(), 19);
}

#[test]
fn edits_are_written_in_the_order_of_the_contract() {
    let names = |record| fields(record).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names("request-edits"), ["headers", "context", "path", "query", "method", "upstream", "body"]);
    assert_eq!(names("response-edits"), ["headers", "status", "body"]);
    assert_eq!(names("response"), ["status", "headers", "body"]);
    assert_eq!(names("answer"), ["response", "context"]);
    assert_eq!(names("outbound-request"), ["method", "url", "headers", "body", "timeout"]);
    assert_eq!(names("held-request"), ["edits", "chunk"]);
    assert_eq!(names("held-response"), ["edits", "chunk"]);
}
