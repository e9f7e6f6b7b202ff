//! Records as bytes: numbers, and texts with their length before them.

#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn number(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.0.extend(value);
    }

    pub fn fields(&mut self, fields: &[(String, Vec<u8>)]) {
        self.number(fields.len() as u64);
        for (name, value) in fields {
            self.bytes(name.as_bytes());
            self.bytes(value);
        }
    }
}

/// Reads what this guest has written; `None` for what another version wrote.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn number(&mut self) -> Option<u64> {
        let (value, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*value))
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub fn fields(&mut self) -> Option<Vec<(String, Vec<u8>)>> {
        let count = self.number()?;
        (0..count).map(|_| Some((self.text()?, self.bytes()?.to_vec()))).collect()
    }
}
