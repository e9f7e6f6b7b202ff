use super::hex;
use crate::{RequestChunk, ResponseChunk};

#[test]
fn an_untouched_chunk_passes() {
    let chunk = RequestChunk::new(b"abc", true, b"\x07");
    assert_eq!((chunk.bytes(), chunk.is_last(), chunk.context::<u8>()), (&b"abc"[..], true, Some(7)));
    assert_eq!(chunk.into_answer(), [0xc0]);
}

#[test]
fn a_replacement_may_be_empty() {
    let mut chunk = ResponseChunk::new(b"abc", false, b"");
    chunk.replace("");
    assert_eq!(chunk.into_answer(), hex("92 00 c400"));
}

#[test]
fn the_held_head_is_edited_with_and_without_a_replacement() {
    let mut chunk = RequestChunk::new(b"abc", true, b"");
    chunk.head().headers.set("a", "1");
    assert_eq!(chunk.into_answer(), hex("92 02 91 91 91 92 00 92 a161 c40131"));

    let mut chunk = ResponseChunk::new(b"abc", true, b"");
    chunk.head().status = Some(201);
    chunk.replace("x");
    assert_eq!(chunk.into_answer(), hex("92 02 92 92 90 ccc9 c40178"));
}
