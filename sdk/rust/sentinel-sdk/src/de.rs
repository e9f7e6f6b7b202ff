//! serde's view of MessagePack, for configurations and contexts. Its errors name the place, for
//! example `request.remove[2]`. The keys of a map are shown as `*`: unlike field names they may be
//! secrets.

use std::fmt::{self, Display};

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::wire::{Malformed, Reader, Token};

/// Why a value is not what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    place: String,
    message: String,
}

impl Error {
    fn within(mut self, place: &str) -> Self {
        let separator = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{place}{separator}{}", self.place);
        self
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        if !self.place.is_empty() {
            write!(out, "{}: ", self.place)?;
        }
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self { place: String::new(), message: message.to_string() }
    }

    #[cold]
    #[inline(never)]
    fn invalid_type(found: Unexpected, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, found {}", kind(found)))
    }

    #[cold]
    #[inline(never)]
    fn invalid_value(found: Unexpected, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, found another {}", kind(found)))
    }
}

/// Not the value: it may be a secret. And serde's own words would bring the code that prints
/// floats, a quarter of a guest.
fn kind(found: Unexpected) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "float",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "nil",
        Unexpected::Seq => "array",
        Unexpected::Map => "map",
        _ => "value",
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        de::Error::custom("not MessagePack")
    }
}

/// How structs are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Structs {
    /// As maps from the fields' names, as a configuration has them.
    Maps,
    /// As maps or as arrays of the fields in order, which is what a context is written as.
    MapsOrArrays,
}

/// Read one value, which must be all of `bytes`.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8], structs: Structs) -> Result<T, Error> {
    let mut reader = Reader::new(bytes);
    let value = T::deserialize(Value { reader: &mut reader, structs, is_struct: false })?;
    if reader.is_at_end() {
        Ok(value)
    } else {
        Err(Malformed.into())
    }
}

struct Value<'r, 'de> {
    reader: &'r mut Reader<'de>,
    structs: Structs,
    is_struct: bool,
}

impl<'de> Value<'_, 'de> {
    fn text(bytes: &'de [u8]) -> Result<&'de str, Error> {
        std::str::from_utf8(bytes).map_err(|_| de::Error::custom("the string is not UTF-8"))
    }
}

impl<'de> de::Deserializer<'de> for Value<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.reader.token()? {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Float(value) => visitor.visit_f64(value),
            Token::Str(bytes) => visitor.visit_borrowed_str(Self::text(bytes)?),
            Token::Bin(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::Array(length) => {
                if self.is_struct && self.structs == Structs::Maps {
                    return Err(de::Error::custom("expected a map, found array"));
                }
                let mut elements = Elements { reader: self.reader, structs: self.structs, left: length, index: 0 };
                let value = visitor.visit_seq(&mut elements)?;
                elements.finish()?;
                Ok(value)
            }
            Token::Map(length) => {
                let Self { reader, structs, is_struct } = self;
                visitor.visit_map(Entries { reader, structs, left: length, is_struct, key: b"" })
            }
            Token::Extension => Err(de::Error::custom("extension types have no meaning here")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut ahead = *self.reader;
        if ahead.token() == Ok(Token::Nil) {
            *self.reader = ahead;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.is_struct = true;
        self.deserialize_any(visitor)
    }

    /// A str is a case without content, a map of one entry a case with it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.reader.token()? {
            Token::Str(case) => visitor.visit_enum(Self::text(case)?.into_deserializer()),
            Token::Map(1) => {
                let case = Self::text(self.reader.text()?)?;
                visitor.visit_enum(Case { case, reader: self.reader, structs: self.structs })
            }
            _ => Err(de::Error::custom("neither the name of a case nor a map of one entry")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.reader.skip(1)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    structs: Structs,
    left: u32,
    index: u32,
}

impl Elements<'_, '_> {
    /// A tuple takes its elements and leaves the others.
    fn finish(self) -> Result<(), Error> {
        if self.left > 0 {
            return Err(de::Error::custom(format_args!("too many elements, by {}", self.left)));
        }
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let index = self.index;
        self.index += 1;
        let element = seed.deserialize(Value { reader: self.reader, structs: self.structs, is_struct: false });
        element.map(Some).map_err(|error| error.within(&format!("[{index}]")))
    }
}

struct Entries<'r, 'de> {
    reader: &'r mut Reader<'de>,
    structs: Structs,
    left: u32,
    is_struct: bool,
    key: &'de [u8],
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let mut ahead = *self.reader;
        self.key = ahead.text().unwrap_or(b"?");
        seed.deserialize(Value { reader: self.reader, structs: self.structs, is_struct: false }).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let value = seed.deserialize(Value { reader: self.reader, structs: self.structs, is_struct: false });
        value.map_err(|error| {
            let key = if self.is_struct { String::from_utf8_lossy(self.key) } else { "*".into() };
            error.within(&key)
        })
    }
}

struct Case<'r, 'de> {
    case: &'de str,
    reader: &'r mut Reader<'de>,
    structs: Structs,
}

impl<'r, 'de> EnumAccess<'de> for Case<'r, 'de> {
    type Error = Error;
    type Variant = Value<'r, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), Error> {
        let case: StrDeserializer<Error> = self.case.into_deserializer();
        let case = seed.deserialize(case)?;
        Ok((case, Value { reader: self.reader, structs: self.structs, is_struct: false }))
    }
}

impl<'de> VariantAccess<'de> for Value<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}
