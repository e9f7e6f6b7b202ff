//! MessagePack as `wit/ABI.md` uses it: a reader that borrows from the payload, and writers of the
//! shortest form.
//!
//! Rule 1: nothing here allocates but the writers' output. Rule 2: no recursion, so depth costs no
//! stack. Rule 3: a reader that failed is not read again.

use crate::text;

/// The payload is not what the contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A place in a MessagePack payload. Copying it is the way to look ahead.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// A header field: its name and its value.
type Field<'a> = (&'a [u8], &'a [u8]);

/// One value's marker and size, before its content.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Array(u32),
    Map(u32),
    Extension,
}

impl<'a> Reader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    fn bytes<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        let (&taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of 1, 2, 4 or 8 bytes.
    fn big_endian(&mut self, length: usize) -> Result<u64, Malformed> {
        Ok(match length {
            1 => self.byte()?.into(),
            2 => u16::from_be_bytes(self.bytes()?).into(),
            4 => u32::from_be_bytes(self.bytes()?).into(),
            _ => u64::from_be_bytes(self.bytes()?),
        })
    }

    fn sized(&mut self, length_bytes: usize) -> Result<&'a [u8], Malformed> {
        let length = self.big_endian(length_bytes)?;
        self.take(length as usize)
    }

    /// The next value; of an array or map only the number of elements or pairs that follow.
    pub fn token(&mut self) -> Result<Token<'a>, Malformed> {
        Ok(match self.byte()? {
            marker @ 0x00..=0x7f => Token::Unsigned(marker.into()),
            marker @ 0x80..=0x8f => Token::Map((marker & 0x0f).into()),
            marker @ 0x90..=0x9f => Token::Array((marker & 0x0f).into()),
            marker @ 0xa0..=0xbf => Token::Str(self.take((marker & 0x1f).into())?),
            0xc0 => Token::Nil,
            0xc1 => return Err(Malformed),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            marker @ 0xc4..=0xc6 => Token::Bin(self.sized(1 << (marker - 0xc4))?),
            marker @ 0xc7..=0xc9 => {
                let length = self.big_endian(1 << (marker - 0xc7))?;
                self.take((length as usize).checked_add(1).ok_or(Malformed)?)?;
                Token::Extension
            }
            0xca => Token::Float(f32::from_bits(self.big_endian(4)? as u32).into()),
            0xcb => Token::Float(f64::from_bits(self.big_endian(8)?)),
            marker @ 0xcc..=0xcf => Token::Unsigned(self.big_endian(1 << (marker - 0xcc))?),
            0xd0 => Token::Signed((self.big_endian(1)? as i8).into()),
            0xd1 => Token::Signed((self.big_endian(2)? as i16).into()),
            0xd2 => Token::Signed((self.big_endian(4)? as i32).into()),
            0xd3 => Token::Signed(self.big_endian(8)? as i64),
            marker @ 0xd4..=0xd8 => {
                self.take(1 + (1 << (marker - 0xd4)))?;
                Token::Extension
            }
            marker @ 0xd9..=0xdb => Token::Str(self.sized(1 << (marker - 0xd9))?),
            marker @ 0xdc..=0xdd => Token::Array(self.big_endian(2 << (marker - 0xdc))? as u32),
            marker @ 0xde..=0xdf => Token::Map(self.big_endian(2 << (marker - 0xde))? as u32),
            marker @ 0xe0..=0xff => Token::Signed((marker as i8).into()),
        })
    }

    /// The number of elements of an array.
    #[inline(always)]
    pub fn array(&mut self) -> Result<u32, Malformed> {
        let (length, rest) = match *self.rest {
            [marker @ 0x90..=0x9f, ref rest @ ..] => ((marker & 0x0f).into(), rest),
            [0xdc, high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]).into(), rest),
            _ => return self.rare(Self::any_array),
        };
        self.rest = rest;
        Ok(length)
    }

    #[cold]
    fn any_array(mut self) -> Result<(u32, Self), Malformed> {
        match self.token()? {
            Token::Array(length) => Ok((length, self)),
            _ => Err(Malformed),
        }
    }

    /// What is rare is read by a function of its own, which gets the place and returns the next one.
    /// A reference to it would keep the place in memory all the time, and not in registers.
    #[inline(always)]
    fn rare<T>(&mut self, read: impl FnOnce(Self) -> Result<(T, Self), Malformed>) -> Result<T, Malformed> {
        let (value, behind) = read(*self)?;
        *self = behind;
        Ok(value)
    }

    /// The bytes of a str, which are not checked to be UTF-8.
    #[inline(always)]
    pub fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let (length, rest) = match self.rest {
            [marker @ 0xa0..=0xbf, rest @ ..] => (marker & 0x1f, rest),
            [0xd9, length, rest @ ..] => (*length, rest),
            _ => return self.rare(Self::long_text),
        };
        self.rest = rest;
        self.take(length.into())
    }

    #[cold]
    fn long_text(mut self) -> Result<(&'a [u8], Self), Malformed> {
        match self.token()? {
            Token::Str(text) => Ok((text, self)),
            _ => Err(Malformed),
        }
    }

    #[inline(always)]
    pub fn str(&mut self) -> Result<&'a str, Malformed> {
        text::utf8(self.text()?).ok_or(Malformed)
    }

    /// A header field.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Field<'a>, Malformed> {
        if let Some((field, rest)) = self.usual_field() {
            self.rest = rest;
            return Ok(field);
        }
        self.rare(Self::any_field)
    }

    /// A field whose name has at most 31 bytes, and its value less than 64 KiB, and what follows.
    #[inline(always)]
    fn usual_field(&self) -> Option<(Field<'a>, &'a [u8])> {
        let (&[0x92, marker @ 0xa0..=0xbf], rest) = self.rest.split_first_chunk()? else { return None };
        let (name, rest) = rest.split_at_checked((marker & 0x1f).into())?;
        let (length, rest) = match *rest {
            [0xc4, length, ref rest @ ..] => (length.into(), rest),
            [0xc5, high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]).into(), rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        Some(((name, value), rest))
    }

    #[cold]
    #[inline(never)]
    fn any_field(mut self) -> Result<(Field<'a>, Self), Malformed> {
        let parts = self.array()?;
        let field = (self.text()?, self.bin()?);
        self.skip(parts.saturating_sub(2))?;
        Ok((field, self))
    }

    pub fn bool(&mut self) -> Result<bool, Malformed> {
        match self.token()? {
            Token::Bool(value) => Ok(value),
            _ => Err(Malformed),
        }
    }

    #[inline(always)]
    pub fn bin(&mut self) -> Result<&'a [u8], Malformed> {
        let [0xc4, length, rest @ ..] = self.rest else { return self.rare(Self::long_bin) };
        self.rest = rest;
        self.take((*length).into())
    }

    #[cold]
    fn long_bin(mut self) -> Result<(&'a [u8], Self), Malformed> {
        match self.token()? {
            Token::Bin(bytes) => Ok((bytes, self)),
            _ => Err(Malformed),
        }
    }

    #[inline(always)]
    pub fn unsigned(&mut self) -> Result<u64, Malformed> {
        let (value, rest) = match *self.rest {
            [value @ ..=0x7f, ref rest @ ..] | [0xcc, value, ref rest @ ..] => (value.into(), rest),
            [0xcd, high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]).into(), rest),
            [0xce, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]).into(), rest),
            [0xcf, a, b, c, d, e, f, g, h, ref rest @ ..] => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), rest),
            _ => return self.rare(Self::any_unsigned),
        };
        self.rest = rest;
        Ok(value)
    }

    #[cold]
    fn any_unsigned(mut self) -> Result<(u64, Self), Malformed> {
        match self.token()? {
            Token::Unsigned(value) => Ok((value, self)),
            Token::Signed(value) => Ok((value.try_into().map_err(|_| Malformed)?, self)),
            _ => Err(Malformed),
        }
    }

    /// `nil` as `None`, or a str.
    #[inline(always)]
    pub fn option_str(&mut self) -> Result<Option<&'a str>, Malformed> {
        if let [0xc0, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(None);
        }
        self.str().map(Some)
    }

    /// `nil` as `None`, or what `read` makes of the value.
    #[inline(always)]
    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<Option<T>, Malformed> {
        if let [0xc0, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// Pass over `values` values, whatever they hold.
    pub fn skip(&mut self, values: u32) -> Result<(), Malformed> {
        let mut pending = u64::from(values);
        while pending > 0 {
            pending -= 1;
            match self.token()? {
                Token::Array(length) => pending += u64::from(length),
                Token::Map(pairs) => pending += 2 * u64::from(pairs),
                _ => {}
            }
        }
        Ok(())
    }
}

/// `nil`, "go on, no change".
pub const NIL: u8 = 0xc0;

pub fn put_unsigned(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend([0xcc, value as u8]),
        0x100..=0xffff => put_sized(out, 0xcd, &(value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => put_sized(out, 0xce, &(value as u32).to_be_bytes()),
        _ => put_sized(out, 0xcf, &value.to_be_bytes()),
    }
}

fn put_sized(out: &mut Vec<u8>, marker: u8, big_endian: &[u8]) {
    out.push(marker);
    out.extend_from_slice(big_endian);
}

/// The smallest of an 8, 16 and 32 bit length, under `marker` and the two that follow it.
#[inline(always)]
fn put_length(out: &mut Vec<u8>, marker: u8, length: usize) {
    match length {
        0..=0xff => out.extend([marker, length as u8]),
        _ => put_long_length(out, marker, length),
    }
}

#[cold]
fn put_long_length(out: &mut Vec<u8>, marker: u8, length: usize) {
    match length {
        ..=0xffff => put_sized(out, marker + 1, &(length as u16).to_be_bytes()),
        _ => put_sized(out, marker + 2, &(length as u32).to_be_bytes()),
    }
}

#[inline(always)]
pub fn put_array(out: &mut Vec<u8>, length: u32) {
    match length {
        0..=15 => out.push(0x90 | length as u8),
        _ => put_long_array(out, length),
    }
}

#[cold]
fn put_long_array(out: &mut Vec<u8>, length: u32) {
    match length {
        ..=0xffff => put_sized(out, 0xdc, &(length as u16).to_be_bytes()),
        _ => put_sized(out, 0xdd, &length.to_be_bytes()),
    }
}

pub fn put_str(out: &mut Vec<u8>, text: &str) {
    put_str_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// What stands before a text of that many bytes.
pub fn put_str_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=31 => out.push(0xa0 | length as u8),
        _ => put_length(out, 0xd9, length),
    }
}

/// What stands before so many bytes.
pub fn put_bin_length(out: &mut Vec<u8>, length: usize) {
    put_length(out, 0xc4, length);
}

#[inline(always)]
pub fn put_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= 0xff {
        text::append(out, [0xc4, bytes.len() as u8], bytes, |_| 0);
    } else {
        text::replace(out, |out| with_long_bin(out, bytes));
    }
}

#[cold]
#[inline(never)]
fn with_long_bin(mut out: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    put_bin_length(&mut out, bytes.len());
    out.extend_from_slice(bytes);
    out
}

pub fn put_option_str(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_str(out, text),
        None => out.push(NIL),
    }
}
