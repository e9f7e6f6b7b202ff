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

/// Each length up to some words, with another byte at each place, and shorter and longer ones.
#[test]
fn every_byte_counts() {
    for length in 1..40 {
        let secret = vec![b'a'; length];
        assert!(equals_secret(&secret.clone(), &secret));
        for place in 0..length {
            let mut sent = secret.clone();
            sent[place] ^= 0x80;
            assert!(!equals_secret(&sent, &secret), "{place} of {length}");
            assert!(!equals_secret(&secret[..place], &secret) && !equals_secret(&secret, &secret[..place]));
        }
    }
}
