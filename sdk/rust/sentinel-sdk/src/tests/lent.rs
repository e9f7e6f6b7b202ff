#![allow(unsafe_code)]

use crate::lent::{answer, area, lend, Argument, Returned};

fn read(returned: *const Returned) -> Vec<u8> {
    // SAFETY: what is lent stays until the next answer.
    unsafe { (*returned).bytes().to_vec() }
}

#[test]
fn a_block_is_freed_and_what_is_lent_is_not() {
    // SAFETY: no other test writes there.
    unsafe { area().copy_from_nonoverlapping(b"lent".as_ptr(), 4) };
    for _ in 0..2 {
        // SAFETY: it was written, and lies in the area.
        let lent = unsafe { Argument::new(area(), 4) };
        assert_eq!(*lent, *b"lent");
        // SAFETY: the last bytes of the area.
        drop(unsafe { Argument::new(area().wrapping_add(4092), 4) });
        let block = Box::into_raw(Box::new(*b"block"));
        // SAFETY: a block of that length, which nothing else refers to.
        let owned = unsafe { Argument::new(block.cast(), 5) };
        assert_eq!(*owned, *b"block");
        // SAFETY: an empty list has no bytes.
        let empty = unsafe { Argument::new(std::ptr::dangling_mut(), 0) };
        assert_eq!(*empty, *b"");
    }
}

#[test]
fn answers_share_a_buffer() {
    let mut first = answer(0);
    first.extend(b"first answer");
    let place = first.as_ptr();
    assert_eq!(read(lend(first)), b"first answer");
    let mut second = answer(0);
    assert!(second.is_empty());
    second.push(b'2');
    assert_eq!(second.as_ptr(), place);
    assert_eq!(read(lend(second)), b"2");
    assert_eq!(read(lend(vec![b'3'])), b"3");
    assert_eq!(read(lend(Vec::new())), b"");
}

#[test]
fn the_buffer_of_a_long_answer_is_not_kept() {
    let long = vec![b'x'; 65537];
    assert_eq!(read(lend(long)).len(), 65537);
    assert_eq!(answer(0).capacity(), 0);
}
