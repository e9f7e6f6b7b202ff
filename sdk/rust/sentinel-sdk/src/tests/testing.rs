use crate::{testing, IncomingResponse, Origin, Request};

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
