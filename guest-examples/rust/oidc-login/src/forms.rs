//! `application/x-www-form-urlencoded`.

/// Pairs as a query or a body.
pub fn encode(pairs: &[(&str, &str)]) -> String {
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    encoded.collect::<Vec<_>>().join("&")
}

/// Every byte that is not unreserved (RFC 3986, section 2.3) as `%XX`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The value of the only parameter of that name.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let (_, value) = values.next()?;
    values.next().is_none().then(|| unescape(value))?
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                (char::from(high).to_digit(16)? * 16 + char::from(low).to_digit(16)?) as u8
            }
            b'+' => b' ',
            _ => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in ["", "a b+c", "ä&=%", "https://a.test/b?c=d#e", "\r\n\0"] {
            assert_eq!(parameter(&encode(&[("x", "1"), ("a", text)]), "a").as_deref(), Some(text));
        }
        assert_eq!(encode(&[("a", "b c&d")]), "a=b%20c%26d");
    }

    #[test]
    fn a_parameter_is_there_once_and_whole() {
        for query in ["", "a", "b=1", "a=1&a=2", "a=%", "a=%2", "a=%zz", "a=%ff"] {
            assert_eq!(parameter(query, "a"), None, "{query}");
        }
    }
}
