//! What the filters share: a configuration of words.

/// The plugin configuration as words; a word that is missing is empty.
pub fn words<const N: usize>(configuration: Option<Vec<u8>>) -> [String; N] {
    let text = String::from_utf8(configuration.unwrap_or_default()).expect("a configuration in UTF-8");
    let mut words = text.split_ascii_whitespace();
    std::array::from_fn(|_| words.next().unwrap_or_default().to_owned())
}
