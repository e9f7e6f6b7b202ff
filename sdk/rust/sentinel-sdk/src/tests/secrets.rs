use crate::equals_secret;

#[test]
fn only_the_secret_is_equal() {
    assert!(equals_secret(b"abc", b"abc"));
    assert!(equals_secret(b"", b""));
    for sent in [&b""[..], b"a", b"ab", b"abd", b"abcd", b"abc\0", b"Abc"] {
        assert!(!equals_secret(sent, b"abc"), "{sent:?}");
    }
    assert!(!equals_secret(b"a", b""));
}
