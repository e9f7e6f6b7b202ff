use std::hint::black_box;

/// Whether `sent` is `secret`, found out in a time that depends on the length of `sent` alone: not
/// on how many bytes agree, nor on the length of the secret. To look among several secrets, compare
/// with each, whatever the others said.
pub fn equals_secret(sent: &[u8], secret: &[u8]) -> bool {
    let mut difference = sent.len() ^ secret.len();
    for (place, byte) in sent.iter().enumerate() {
        let expected = secret.get(place).copied().unwrap_or(0);
        difference = black_box(difference | usize::from(byte ^ expected));
    }
    difference == 0
}
