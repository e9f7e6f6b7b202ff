//! The part of Structured Fields (RFC 9651) in which signatures are written.
//!
//! Rule: only the canonical form is read. What is signed is the canonical form of what was sent;
//! reading no other, the two are the same bytes.

/// A member of `Signature-Input`: the components that are signed, and the parameters of the
/// signature.
#[derive(Debug, PartialEq)]
pub struct Input<'a> {
    pub label: &'a str,
    /// Names without parameters, in order.
    pub components: Vec<&'a str>,
    pub parameters: Parameters<'a>,
    /// All of it behind the label, as it is signed.
    pub text: &'a str,
}

#[derive(Debug, Default, PartialEq)]
pub struct Parameters<'a> {
    pub created: Option<u64>,
    pub expires: Option<u64>,
    pub nonce: Option<&'a str>,
    pub algorithm: Option<&'a str>,
    pub key_id: Option<&'a str>,
}

/// The members of `Signature-Input`; `None` if one cannot be read.
pub fn inputs(field: &str) -> Option<Vec<Input<'_>>> {
    let mut inputs = Vec::new();
    let mut reader = Reader(field);
    loop {
        let label = reader.key()?;
        reader.eat("=")?;
        let before = reader.0;
        let components = reader.inner_list()?;
        let parameters = reader.parameters()?;
        let text = &before[..before.len() - reader.0.len()];
        inputs.push(Input { label, components, parameters, text });
        if reader.0.is_empty() {
            return Some(inputs);
        }
        reader.eat(",")?;
        reader.0 = reader.0.trim_start_matches([' ', '\t']);
    }
}

/// The base64 of the byte sequence with this label in `Signature` or `Content-Digest`.
pub fn byte_sequence<'a>(field: &'a str, label: &str) -> Option<&'a str> {
    let mut found = None;
    for member in field.split(',') {
        let (key, value) = member.trim_matches([' ', '\t']).split_once('=')?;
        let value = value.strip_prefix(':')?.strip_suffix(':')?;
        if key == label && found.replace(value).is_some() {
            return None;
        }
    }
    found
}

struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn eat(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| !is_part(byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        (!taken.is_empty()).then_some(taken)
    }

    fn key(&mut self) -> Option<&'a str> {
        let key =
            self.take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte))?;
        key.starts_with(|first: char| first.is_ascii_lowercase() || first == '*').then_some(key)
    }

    /// A string without escapes: no name and no id of ours needs one.
    fn string(&mut self) -> Option<&'a str> {
        self.eat("\"")?;
        let text =
            self.take_while(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\').unwrap_or_default();
        self.eat("\"")?;
        Some(text)
    }

    fn integer(&mut self) -> Option<u64> {
        let digits = self.take_while(|byte| byte.is_ascii_digit())?;
        let is_canonical = digits.len() <= 15 && (digits == "0" || !digits.starts_with('0'));
        is_canonical.then(|| digits.parse().ok())?
    }

    /// Strings between parentheses. Components with parameters, such as `;req`, are not supported.
    fn inner_list(&mut self) -> Option<Vec<&'a str>> {
        self.eat("(")?;
        let mut items = Vec::new();
        while self.eat(")").is_none() {
            if !items.is_empty() {
                self.eat(" ")?;
            }
            items.push(self.string()?);
        }
        Some(items)
    }

    /// Unknown parameters are an error: what they demand is not known.
    fn parameters(&mut self) -> Option<Parameters<'a>> {
        let mut found = Parameters::default();
        while self.eat(";").is_some() {
            let is_new = match self.key()? {
                _ if self.eat("=").is_none() => return None,
                "created" => found.created.replace(self.integer()?).is_none(),
                "expires" => found.expires.replace(self.integer()?).is_none(),
                "nonce" => found.nonce.replace(self.string()?).is_none(),
                "alg" => found.algorithm.replace(self.string()?).is_none(),
                "keyid" => found.key_id.replace(self.string()?).is_none(),
                "tag" => self.string().is_some(),
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read() {
        let field = r#"sig1=("date" "@authority");created=1;keyid="a";nonce="n", other=();alg="ed25519";tag="x""#;
        let found = inputs(field).unwrap();
        assert_eq!(found[0].components, ["date", "@authority"]);
        assert_eq!((found[0].label, found[0].text), ("sig1", r#"("date" "@authority");created=1;keyid="a";nonce="n""#));
        assert_eq!(found[0].parameters.created, Some(1));
        assert_eq!((found[1].label, found[1].parameters.algorithm), ("other", Some("ed25519")));
    }

    #[test]
    fn what_is_not_canonical_is_not_read() {
        for field in [
            "",
            "sig1",
            "sig1=",
            "sig1=(",
            "sig1=()x",
            "sig1=(),",
            "=()",
            "Sig1=()",
            "1=()",
            "sig1= ()",
            "sig1=( \"a\")",
            "sig1=(\"a\" )",
            "sig1=(\"a\"  \"b\")",
            "sig1=(\"a\"\"b\")",
            "sig1=(\"a\";req)",
            "sig1=(a)",
            "sig1=(\"a)",
            "sig1=();created=01",
            "sig1=();created=-1",
            "sig1=();created=1.0",
            "sig1=();created=\"1\"",
            "sig1=();created=1;created=2",
            "sig1=(); created=1",
            "sig1=();keyid=a",
            "sig1=();keyid=\"a\\\"b\"",
            "sig1=();new=1",
            "sig1=();created",
            "sig1=();keyid=\"é\"",
            "sig1=();created=9999999999999999",
        ] {
            assert_eq!(inputs(field), None, "{field}");
        }
    }

    #[test]
    fn byte_sequences_are_found_once() {
        assert_eq!(byte_sequence("a=:AA==:, b=:BB==:", "b"), Some("BB=="));
        for field in ["", "b", "b=", "b=BB==", "b=:BB==", "a=:AA==:", "b=:BB==:, b=:BB==:", "b=:BB==:, x"] {
            assert_eq!(byte_sequence(field, "b"), None, "{field}");
        }
    }
}
