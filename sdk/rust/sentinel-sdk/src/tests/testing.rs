use std::time::Duration;

use crate::log::{self, Level};
use crate::metrics::{Description, Kind};
use crate::testing::{self, Call, Described, Harness};
use crate::{
    clock, http, kv, metrics, random, BodyMode, Guest, HeaderEdit, IncomingResponse, Origin, Request, RequestChunk,
    Response, ResponseChunk, Summary,
};

#[test]
fn a_request_head_has_every_field() {
    let head = testing::request_head("PUT", "/a?b=?c", &[("X-A", "1"), ("x-b", "2")]);
    let request = Request::decode(&head);
    assert_eq!((request.method(), request.path(), request.query()), ("PUT", "/a", Some("b=?c")));
    assert_eq!(request.headers().collect::<Vec<_>>(), [("x-a", &b"1"[..]), ("x-b", b"2")]);
    assert_eq!((request.scheme(), request.http_version()), ("http", "1.1"));
    assert_eq!(Request::decode(&testing::request_head("GET", "/", &[])).query(), None);
}

#[test]
fn a_response_head_has_every_field() {
    let head = testing::response_head(404, &[("x-a", "1")]);
    let response = IncomingResponse::decode(&head, b"");
    assert_eq!(
        (response.status(), response.header("x-a").as_deref(), response.origin()),
        (404, Some(&b"1"[..]), Origin::Upstream)
    );
}

/// Does something in every hook.
struct Busy {
    limit: u32,
}

impl Guest for Busy {
    type Config = u32;

    fn configure(limit: u32) -> Result<Self, String> {
        if limit == 0 {
            return Err("limit: at least 1".into());
        }
        Ok(Self { limit })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        request.set_context_bytes(request.path().to_owned());
        if request.method() == "DELETE" {
            return Err(Response::new(405).header("Allow", "GET").body("no"));
        }
        request.set_header("x-new", "1");
        request.remove_header("x-old");
        request.buffer_body(self.limit);
        Ok(())
    }

    fn on_response(&self, response: &mut IncomingResponse) -> Result<(), Response> {
        if response.status() == 500 {
            return Err(Response::new(502));
        }
        response.set_header("x-path", response.context_bytes());
        response.set_status(201);
        Ok(())
    }

    fn on_complete(&self, summary: &Summary) {
        let path = String::from_utf8_lossy(summary.context_bytes());
        log::write(Level::Info, &format!("{path} {}", summary.status));
    }

    fn on_request_chunk(&self, chunk: &mut RequestChunk) -> Result<(), Response> {
        if chunk.is_last() {
            let length = chunk.bytes().len().to_string();
            chunk.head().headers.set("x-length", length);
            chunk.replace(chunk.context_bytes());
        }
        Ok(())
    }

    fn on_response_chunk(&self, _: &mut ResponseChunk) -> Result<(), Response> {
        Err(Response::new(500).body("bad"))
    }
}

#[test]
fn a_harness_shows_what_becomes_of_a_request() {
    let mut harness = Harness::<Busy>::configure(9).unwrap();
    let action = harness.on_request("GET", "/a", &[("X-Old", "0"), ("x-kept", "2")]);
    assert_eq!(action.response, None);
    assert_eq!((action.header("X-New"), action.header("x-old")), (Some(&b"1"[..]), None));
    assert_eq!(action.headers, [("x-kept".into(), b"2".into()), ("x-new".into(), b"1".to_vec())]);
    assert_eq!(
        action.edits.headers.iter().collect::<Vec<_>>(),
        [HeaderEdit::Set("x-new", b"1"), HeaderEdit::Remove("x-old")]
    );
    assert_eq!(action.edits.body, BodyMode::Buffer(9));

    let response = harness.on_request("DELETE", "/b", &[]).response.unwrap();
    assert_eq!(
        (response.status(), response.content(), response.get_header("ALLOW")),
        (405, &b"no"[..], Some(&b"GET"[..]))
    );
    assert_eq!(response.headers().collect::<Vec<_>>(), [("allow", &b"GET"[..])]);
}

#[test]
fn a_harness_hands_the_context_on() {
    let mut harness = Harness::<Busy>::configure(9).unwrap();
    harness.on_request("GET", "/a", &[]);
    assert_eq!(harness.context_bytes(), b"/a");
    let action = harness.on_response(200, &[]);
    assert_eq!(
        (action.response.is_none(), action.edits.status, action.header("x-path")),
        (true, Some(201), Some(&b"/a"[..]))
    );
    assert_eq!(harness.on_response(500, &[]).response, Some(Response::new(502)));

    let action = harness.on_request_chunk(b"abc", false);
    assert_eq!((action.response, action.replacement, action.head.is_empty()), (None, None, true));
    let action = harness.on_request_chunk(b"abc", true);
    assert_eq!((action.replacement, action.head.is_empty()), (Some(b"/a".to_vec()), false));
    assert_eq!(harness.on_response_chunk(b"abc", true).response, Some(Response::new(500).body("bad")));

    let mut summary = testing::summary();
    summary.status = 404;
    harness.on_complete(summary);
    assert_eq!(harness.logs(), [(Level::Info, "/a 404".into())]);
    assert_eq!(harness.logs(), []);
}

#[test]
fn a_refused_configuration_is_an_error() {
    assert_eq!(Harness::<Busy>::configure(0).unwrap_err(), "limit: at least 1");
}

#[test]
fn calls_are_recorded() {
    let mut harness = Harness::new(Busy { limit: 1 });
    kv::get("k").unwrap();
    kv::set("k", "v", Some(Duration::from_millis(5))).unwrap();
    kv::delete("k").unwrap();
    kv::add("n", 2, None).unwrap();
    clock::wall();
    clock::monotonic();
    random::bytes(3);
    random::number();
    metrics::add("m", &[("a", "b")], 4);
    metrics::observe("o", &[], 0.5);
    metrics::describe("m", Description::counter("Ms."));
    metrics::describe("o_bytes", Description::histogram("").unit("bytes").bounds(&[1.0, 2.0]));
    let request = http::post("http://a/", "body").header("X-A", "1");
    assert_eq!(request.send(), Err(http::Error::Unreachable));
    assert_eq!(
        (request.method(), request.get_header("x-a"), request.content()),
        ("POST", Some(&b"1"[..]), &b"body"[..])
    );
    assert_eq!(
        harness.calls(),
        [
            Call::KvGet { key: b"k".into() },
            Call::KvSet { key: b"k".into(), value: b"v".into(), ttl: 5 },
            Call::KvDelete { key: b"k".into() },
            Call::KvAdd { key: b"n".into(), delta: 2, ttl: 0 },
            Call::ClockWall,
            Call::ClockMonotonic,
            Call::RandomBytes { length: 3 },
            Call::RandomNumber,
            Call::MetricsAdd { name: "m".into(), labels: vec![("a".into(), "b".into())], value: 4 },
            Call::MetricsObserve { name: "o".into(), labels: vec![], value: 0.5 },
            Call::HttpSend(request),
        ]
    );
    assert_eq!(harness.calls(), []);
    let m = Described { name: "m".into(), kind: Kind::Counter, help: "Ms.".into(), unit: "".into(), bounds: vec![] };
    let o = Described {
        name: "o_bytes".into(),
        kind: Kind::Histogram,
        help: "".into(),
        unit: "bytes".into(),
        bounds: vec![1.0, 2.0],
    };
    assert_eq!(harness.descriptions(), [m, o]);
}

#[test]
fn keys_expire_by_the_clock_that_a_test_moves() {
    let mut harness = Harness::new(Busy { limit: 1 });
    let (wall, monotonic) = (clock::wall(), clock::monotonic());
    kv::set("k", "v", Some(Duration::from_secs(2))).unwrap();
    assert_eq!(kv::add("n", 1, Some(Duration::from_secs(2))), Ok(1));
    harness.advance_clock(Duration::from_secs(1));
    assert_eq!((kv::get("k"), kv::add("n", 1, Some(Duration::from_secs(2)))), (Ok(Some(b"v".to_vec())), Ok(2)));
    harness.advance_clock(Duration::from_secs(1));
    assert_eq!((kv::get("k"), kv::add("n", 1, None)), (Ok(None), Ok(1)));
    assert_eq!(
        (clock::wall() - wall, clock::monotonic() - monotonic),
        (Duration::from_secs(2), Duration::from_secs(2))
    );
}

#[test]
fn stand_ins_fail_as_the_gateway_does() {
    let mut harness = Harness::new(Busy { limit: 1 });
    assert_eq!(kv::get("k".repeat(1025)), Err(kv::Error::TooLarge));
    assert_eq!(kv::set("k", "v".repeat(65_537), None), Err(kv::Error::TooLarge));
    kv::set("k", "v", None).unwrap();
    assert_eq!(kv::add("k", 1, None), Err(kv::Error::NotANumber));
    harness.fail_kv(Some(kv::Error::Full));
    assert_eq!(kv::set("k", "v", None), Err(kv::Error::Full));
    harness.fail_kv(None);
    assert_eq!(kv::delete("k"), Ok(true));
}

#[test]
fn each_harness_begins_anew() {
    let mut harness = Harness::new(Busy { limit: 1 });
    kv::set("k", "v", None).unwrap();
    let first = (random::number(), random::bytes(9));
    harness.seed_random(7);
    assert_ne!(random::number(), first.0);
    harness.http_service(|_| Ok(http::Response::new(204, &[], "")));
    assert_eq!(http::get("http://a/").send().unwrap().status(), 204);
    let mut harness = Harness::new(Busy { limit: 1 });
    assert_eq!((kv::get("k"), http::get("http://a/").send()), (Ok(None), Err(http::Error::Unreachable)));
    assert_eq!((random::number(), random::bytes(9)), first);
    assert_eq!((harness.logs().len(), harness.calls().len()), (0, 4));
}
