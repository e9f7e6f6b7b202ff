use std::cell::Cell;
use std::rc::Rc;

use sentinel_sdk::{http, testing};

use super::*;

fn guest(cache: u32) -> TokenIntrospection {
    TokenIntrospection::configure(Config {
        endpoint: "http://auth/".into(),
        authorization: None,
        cache,
        refused_cache: 5,
        principal_header: default_principal_header(),
    })
    .unwrap()
}

fn status(guest: &TokenIntrospection, token: &str) -> u16 {
    let head = testing::request_head("GET", "/", &[("authorization", &format!("Bearer {token}"))]);
    guest.on_request(&mut Request::decode(&head)).map_or_else(|response| response.status(), |()| 200)
}

/// The server answers with this, and tells how often it was asked.
fn serve(body: &'static str) -> Rc<Cell<u32>> {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    testing::http_service(move |_| {
        count.set(count.get() + 1);
        Ok(http::Response::new(200, &[], body))
    });
    asked
}

#[test]
fn the_server_is_asked_once() {
    let asked = serve(r#"{"active":true,"sub":"ann"}"#);
    assert_eq!([status(&guest(60), "once"), status(&guest(60), "once"), status(&guest(60), "twice")], [200; 3]);
    assert_eq!(asked.get(), 2);
}

#[test]
fn refusals_are_remembered_too() {
    let asked = serve(r#"{"active":false}"#);
    assert_eq!([status(&guest(60), "bad"), status(&guest(60), "bad")], [401; 2]);
    assert_eq!(asked.get(), 1);
}

#[test]
fn failures_are_not() {
    assert_eq!(status(&guest(60), "unreachable"), 503);
    let asked = serve(r#"{"active":true,"sub":"ann"}"#);
    assert_eq!((status(&guest(60), "unreachable"), asked.get()), (200, 1));
}

#[test]
fn nothing_is_remembered_beyond_the_tokens_end() {
    let asked = serve(r#"{"active":true,"sub":"ann","exp":1}"#);
    assert_eq!([status(&guest(60), "old"), status(&guest(60), "old")], [200; 2]);
    assert_eq!(asked.get(), 2);
}

#[test]
fn the_token_itself_is_not_stored() {
    serve(r#"{"active":true,"sub":"ann"}"#);
    assert_eq!(status(&guest(60), "secret"), 200);
    assert_eq!(kv::get("secret"), Ok(None));
    assert_eq!(kv::get(Sha256::digest("secret")), Ok(Some(b"+ann".to_vec())));
}
