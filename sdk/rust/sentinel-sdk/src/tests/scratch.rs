use crate::scratch::{give_back, take};

#[test]
fn what_was_given_back_is_used_again() {
    let mut first = take(100);
    let place = first.as_ptr();
    first.push(1);
    give_back(first);
    let second = take(50);
    assert_eq!((second.as_ptr(), second.len()), (place, 0));
    // While that is in use, and for more than it can hold, there is another.
    let other = take(1);
    assert_ne!(other.as_ptr(), place);
    give_back(second);
    assert!(take(10_000).capacity() >= 10_000);
}

#[test]
fn large_buffers_are_not_kept() {
    give_back(Vec::with_capacity(1 << 20));
    assert!(take(1).capacity() < 1 << 20);
}
