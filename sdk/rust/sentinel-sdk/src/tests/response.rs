use super::hex;
use crate::{IncomingResponse, Origin, Response};

const HEAD: &str = "93 cd0194 91 92 a161 c40162 02";

#[test]
fn a_head_is_read() {
    let payload = hex(HEAD);
    let response = IncomingResponse::decode(&payload, b"");
    assert_eq!(
        (response.status(), response.header("A").as_deref(), response.origin()),
        (404, Some(&b"b"[..]), Origin::Gateway)
    );
    assert_eq!(response.context::<String>(), None);
}

#[test]
fn the_context_comes_back_as_it_was_left() {
    let (payload, context) = (hex(HEAD), hex("92 a175 07"));
    let response = IncomingResponse::decode(&payload, &context);
    assert_eq!(response.context::<(&str, u8)>(), Some(("u", 7)));
    assert_eq!(response.context_bytes(), context);
}

#[test]
#[should_panic(expected = "the context is not what on_request left")]
fn a_context_of_another_type_is_a_mistake() {
    let (payload, context) = (hex(HEAD), hex("a175"));
    IncomingResponse::decode(&payload, &context).context::<u8>();
}

#[test]
fn no_change_is_one_byte() {
    assert_eq!(IncomingResponse::decode(&hex(HEAD), b"").into_answer(), [0xc0]);
}

#[test]
fn every_edit_in_its_place() {
    let payload = hex(HEAD);
    let mut response = IncomingResponse::decode(&payload, b"");
    response.set_header("C", "d");
    response.append_header("e", "f");
    response.remove_header("a");
    response.set_status(200);
    response.buffer_body(7);
    assert_eq!(
        (response.status(), response.header("a").as_deref(), response.header("c").as_deref()),
        (200, None, Some(&b"d"[..]))
    );
    assert_eq!(
        response.into_answer(),
        hex("92 00 93 93 92 00 92 a163 c40164 92 01 92 a165 c40166 92 02 a161 ccc8 92 02 07")
    );
}

#[test]
fn a_mode_without_a_status_leaves_a_gap() {
    let payload = hex(HEAD);
    let mut response = IncomingResponse::decode(&payload, b"");
    response.stream_body();
    assert_eq!(response.into_answer(), hex("92 00 93 90 c0 91 01"));
}

#[test]
fn a_replacement_is_the_bare_response() {
    assert_eq!(Response::new(200).body("x").into_respond(), hex("92 01 93 ccc8 90 c40178"));
}
