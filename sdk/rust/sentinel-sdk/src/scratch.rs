//! A buffer that one call after the other writes into: to find a block in the heap and to give it
//! back takes longer than what most hooks write.

use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What is larger is not kept: it would count against the guest's memory for good.
const LARGEST: usize = 4096;

/// An empty buffer with room for that many bytes.
#[inline(always)]
pub fn take(room: usize) -> Vec<u8> {
    let kept = KEPT.take();
    if kept.capacity() >= room {
        kept
    } else {
        Vec::with_capacity(room)
    }
}

/// Keep a buffer for the next one that needs it.
#[inline(always)]
pub fn give_back(mut bytes: Vec<u8>) {
    if bytes.capacity() <= LARGEST {
        bytes.clear();
        KEPT.set(bytes);
    }
}
