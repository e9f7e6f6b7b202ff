use std::hint::black_box;

/// Whether `sent` is `secret`, found out in a time that depends on the length of `sent` alone: not
/// on how many bytes agree, nor on the length of the secret. To look among several secrets, compare
/// with each, whatever the others said.
pub fn equals_secret(sent: &[u8], secret: &[u8]) -> bool {
    let mut difference = black_box((sent.len() ^ secret.len()) as u64);
    // What has another length is compared with itself, which takes as long.
    let mut expected = if difference == 0 { secret } else { sent };
    let mut rest = sent;
    while let (Some((&left, behind)), Some((&right, expected_behind))) =
        (rest.split_first_chunk(), expected.split_first_chunk())
    {
        difference = black_box(difference | (u64::from_ne_bytes(left) ^ u64::from_ne_bytes(right)));
        (rest, expected) = (behind, expected_behind);
    }
    for (left, right) in rest.iter().zip(expected) {
        difference = black_box(difference | u64::from(left ^ right));
    }
    difference == 0
}
