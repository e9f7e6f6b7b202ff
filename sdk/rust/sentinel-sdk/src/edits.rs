//! What a guest changes about a message: recorded in the form in which it is sent, so that
//! answering copies bytes.

use std::borrow::Cow;

use crate::headers::Headers;
use crate::lent;
use crate::text::{self, EACH};
use crate::wire::{self, Malformed, Reader, NIL};

/// Changes to a list of header fields, applied in order.
///
/// Names are written in lower case. The gateway refuses, and fails the call for, names that are no
/// token, values with control characters other than tab, and the fields that it owns
/// (`content-length`, `host`, `connection` and the like); [`HeaderName`](crate::HeaderName) checks
/// names early.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    count: u32,
    /// The changes behind the room for what an answer begins with, or nothing at all.
    encoded: Vec<u8>,
}

/// Of an answer: `[0, [[`, with the markers of arrays.
const BEFORE: usize = 4;

/// One change to a list of header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderEdit<'a> {
    /// Remove every field of that name, then add this one.
    Set(&'a str, &'a [u8]),
    /// Add this field after those of the same name.
    Append(&'a str, &'a [u8]),
    /// Remove every field of that name.
    Remove(&'a str),
}

const SET: u8 = 0;
const APPEND: u8 = 1;
const REMOVE: u8 = 2;

/// What the few changes that guests usually make take: growing step by step costs more than making
/// them.
const ROOM: usize = 128;

impl HeaderEdits {
    /// No changes.
    pub const fn new() -> Self {
        Self { count: 0, encoded: Vec::new() }
    }

    /// Remove every field of that name, then add this one.
    #[inline(always)]
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.begin();
        put_field(&mut self.encoded, name, value.as_ref(), |marker| [0x92, SET, 0x92, marker]);
    }

    /// Add this field after those of the same name.
    #[inline(always)]
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.begin();
        put_field(&mut self.encoded, name, value.as_ref(), |marker| [0x92, APPEND, 0x92, marker]);
    }

    /// Remove every field of that name; nothing happens when there is none.
    #[inline(always)]
    pub fn remove(&mut self, name: &str) {
        self.begin();
        put_name(&mut self.encoded, name, |marker| [0x92, REMOVE, marker]);
    }

    /// Add all of `other`'s changes after these.
    #[inline(always)]
    pub fn extend(&mut self, other: &HeaderEdits) {
        if other.is_empty() {
            return;
        }
        self.make_room();
        self.count += other.count;
        text::append(&mut self.encoded, [], other.recorded().encoded, |_| 0);
    }

    /// Whether there is no change.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The changes in order.
    pub fn iter(&self) -> impl Iterator<Item = HeaderEdit<'_>> + Clone {
        self.recorded().iter()
    }

    #[inline(always)]
    fn recorded(&self) -> Recorded<'_> {
        Recorded { count: self.count, encoded: self.encoded.get(BEFORE..).unwrap_or_default() }
    }

    #[inline(always)]
    fn begin(&mut self) {
        self.make_room();
        self.count += 1;
    }

    #[inline(always)]
    fn make_room(&mut self) {
        if self.encoded.capacity() == 0 {
            self.encoded = lent::answer(ROOM);
            self.encoded.extend_from_slice(&[0; BEFORE]);
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        wire::put_array(out, self.count);
        out.extend_from_slice(self.recorded().encoded);
    }

    /// An action that continues, with these edits and nothing else, or `nil` for none.
    #[inline(always)]
    fn into_answer(self) -> Vec<u8> {
        let Self { count, mut encoded } = self;
        if count > 15 {
            return long_answer(count, &encoded);
        }
        match encoded.first_chunk_mut() {
            Some(before) if count > 0 => *before = [0x92, 0, 0x91, 0x90 | count as u8],
            _ => {
                encoded = lent::answer(ROOM);
                encoded.push(NIL);
            }
        }
        encoded
    }
}

#[cold]
#[inline(never)]
fn long_answer(count: u32, encoded: &[u8]) -> Vec<u8> {
    let mut out = lent::answer(BEFORE + encoded.len());
    out.extend([0x92, 0, 0x91]);
    wire::put_array(&mut out, count);
    out.extend_from_slice(&encoded[BEFORE..]);
    out
}

/// Changes that are looked at. A reference to `HeaderEdits`, which this stands for, would keep a
/// whole request in memory, and not in registers.
#[derive(Clone, Copy)]
struct Recorded<'e> {
    count: u32,
    encoded: &'e [u8],
}

impl<'e> Recorded<'e> {
    fn iter(self) -> impl Iterator<Item = HeaderEdit<'e>> + Clone {
        let mut reader = Reader::new(self.encoded);
        (0..self.count).map(move |_| read_edit(&mut reader).expect("own encoding"))
    }
}

/// What is as long as its length fits into the marker.
const SHORT: usize = 31;

/// Write a name in lower case behind a few bytes, the last of which is its marker.
#[inline(always)]
fn put_name<const SIZE: usize>(out: &mut Vec<u8>, name: &str, before: impl Fn(u8) -> [u8; SIZE]) {
    if name.len() > SHORT {
        text::replace(out, |out| with_long_name(out, &before(0)[..SIZE - 1], name));
        return;
    }
    // The bytes of a name in lower case all have this bit, and a capital has not.
    let seen = text::append(out, before(0xa0 | name.len() as u8), name.as_bytes(), |word| !word);
    if seen & (EACH * 0x20) != 0 {
        let start = out.len() - name.len();
        out[start..].make_ascii_lowercase();
    }
}

#[cold]
#[inline(never)]
fn with_long_name(mut out: Vec<u8>, before: &[u8], name: &str) -> Vec<u8> {
    out.extend_from_slice(before);
    wire::put_str(&mut out, &name.to_ascii_lowercase());
    out
}

/// Write a header field behind a few bytes, the last of which is the marker of its name.
#[inline(always)]
fn put_field<const SIZE: usize>(out: &mut Vec<u8>, name: &str, value: &[u8], before: impl Fn(u8) -> [u8; SIZE]) {
    put_name(out, name, before);
    wire::put_bin(out, value);
}

#[inline(always)]
pub(crate) fn put_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    put_field(out, name, value, |marker| [0x92, marker]);
}

fn read_edit<'a>(reader: &mut Reader<'a>) -> Result<HeaderEdit<'a>, Malformed> {
    reader.array()?;
    let case = reader.unsigned()? as u8;
    if case == REMOVE {
        return Ok(HeaderEdit::Remove(reader.str()?));
    }
    reader.array()?;
    let (name, value) = (reader.str()?, reader.bin()?);
    Ok(if case == SET { HeaderEdit::Set(name, value) } else { HeaderEdit::Append(name, value) })
}

/// The header fields as they are once `edits` are applied to `arrived`.
#[inline(always)]
pub(crate) fn edited<'e>(
    arrived: impl Iterator<Item = (&'e str, &'e [u8])>,
    edits: &'e HeaderEdits,
) -> impl Iterator<Item = (&'e str, &'e [u8])> {
    with_edits(arrived, edits.recorded())
}

fn with_edits<'e>(
    arrived: impl Iterator<Item = (&'e str, &'e [u8])>,
    edits: Recorded<'e>,
) -> impl Iterator<Item = (&'e str, &'e [u8])> {
    let kept = arrived.filter(move |(name, _)| edits.count == 0 || !removes(edits.iter(), name));
    let mut following = edits.iter();
    let added = std::iter::from_fn(move || loop {
        let (HeaderEdit::Set(name, value) | HeaderEdit::Append(name, value)) = following.next()? else { continue };
        if !removes(following.clone(), name) {
            return Some((name, value));
        }
    });
    kept.chain(added)
}

/// The first value of that name, whatever its case, once `edits` are applied to `arrived`.
#[inline(always)]
pub(crate) fn first_value<'a>(arrived: Headers<'a>, edits: &HeaderEdits, name: &str) -> Option<Cow<'a, [u8]>> {
    if edits.is_empty() {
        return arrived.get(name).map(Cow::Borrowed);
    }
    edited_value(arrived, edits.recorded(), name)
}

#[inline(never)]
fn edited_value<'a>(arrived: Headers<'a>, edits: Recorded, name: &str) -> Option<Cow<'a, [u8]>> {
    let field = name.to_ascii_lowercase();
    let kept = if removes(edits.iter(), &field) { None } else { arrived.get(&field) };
    kept.map(Cow::Borrowed).or_else(|| {
        let added = with_edits(std::iter::empty(), edits).find(|(added, _)| *added == field);
        added.map(|(_, value)| Cow::Owned(value.to_vec()))
    })
}

fn removes<'e>(mut edits: impl Iterator<Item = HeaderEdit<'e>>, field: &str) -> bool {
    edits.any(|edit| match edit {
        HeaderEdit::Set(name, _) | HeaderEdit::Remove(name) => name == field,
        HeaderEdit::Append(..) => false,
    })
}

/// Whether, and how, a guest wants to see a message's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyMode {
    /// Not at all: chunks pass by.
    #[default]
    Skip,
    /// Chunk by chunk, as they arrive.
    Stream,
    /// Whole: the head is held until the body is there. The largest body accepted, in bytes; a
    /// larger one is answered 413.
    Buffer(u32),
}

impl BodyMode {
    fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Skip => out.extend([0x91, 0]),
            Self::Stream => out.extend([0x91, 1]),
            Self::Buffer(limit) => {
                out.extend([0x92, 2]);
                wire::put_unsigned(out, limit.into());
            }
        }
    }
}

/// What a guest changes about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestEdits {
    /// Changes to the header fields.
    pub headers: HeaderEdits,
    /// Opaque bytes for this guest's later hooks on the same request.
    pub context: Vec<u8>,
    /// A new path: canonical, beginning with `/`. It does not choose another route.
    pub path: Option<String>,
    /// A new query without `?`; empty removes it.
    pub query: Option<String>,
    /// A new method; `CONNECT` is refused.
    pub method: Option<String>,
    /// The name of a configured upstream that the configuration grants to this guest.
    pub upstream: Option<String>,
    /// Whether this guest's `on_request_chunk` sees the body.
    pub body: BodyMode,
}

impl RequestEdits {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.fields() == 0
    }

    /// The number of fields up to the last one that has not its default.
    fn fields(&self) -> u32 {
        let changed = [
            !self.headers.is_empty(),
            !self.context.is_empty(),
            self.path.is_some(),
            self.query.is_some(),
            self.method.is_some(),
            self.upstream.is_some(),
            self.body != BodyMode::Skip,
        ];
        changed.iter().rposition(|&changed| changed).map_or(0, |last| last as u32 + 1)
    }

    /// As case 0, `continue`, of `request-action`, or `nil` when nothing changes.
    #[inline(always)]
    pub(crate) fn into_answer(self) -> Vec<u8> {
        let Self { headers, context, path, query, method, upstream, body } = self;
        let changes_nothing_else = context.is_empty()
            && path.is_none()
            && query.is_none()
            && method.is_none()
            && upstream.is_none()
            && body == BodyMode::Skip;
        if changes_nothing_else {
            return headers.into_answer();
        }
        // In parts: a reference to the whole would keep it in memory all the time.
        Self { headers, context, path, query, method, upstream, body }.encode_answer()
    }

    #[inline(never)]
    fn encode_answer(self) -> Vec<u8> {
        let mut out = lent::answer(16 + self.headers.encoded.len() + self.context.len());
        out.extend([0x92, 0]);
        self.encode(&mut out);
        out
    }

    /// The context alone.
    #[inline(always)]
    pub(crate) fn into_context(self) -> Vec<u8> {
        let Self { headers, context, path, query, method, upstream, body: _ } = self;
        drop((headers, path, query, method, upstream));
        context
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let fields = self.fields();
        wire::put_array(out, fields);
        for field in 0..fields {
            match field {
                0 => self.headers.encode(out),
                1 => wire::put_bin(out, &self.context),
                2 => wire::put_option_str(out, self.path.as_deref()),
                3 => wire::put_option_str(out, self.query.as_deref()),
                4 => wire::put_option_str(out, self.method.as_deref()),
                5 => wire::put_option_str(out, self.upstream.as_deref()),
                _ => self.body.encode(out),
            }
        }
    }
}

/// What a guest changes about a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseEdits {
    /// Changes to the header fields.
    pub headers: HeaderEdits,
    /// A new status, 200 to 599.
    pub status: Option<u16>,
    /// Whether this guest's `on_response_chunk` sees the body.
    pub body: BodyMode,
}

impl ResponseEdits {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.fields() == 0
    }

    fn fields(&self) -> u32 {
        let changed = [!self.headers.is_empty(), self.status.is_some(), self.body != BodyMode::Skip];
        changed.iter().rposition(|&changed| changed).map_or(0, |last| last as u32 + 1)
    }

    /// As case 0, `continue`, of `response-action`, or `nil` when nothing changes.
    #[inline(always)]
    pub(crate) fn into_answer(self) -> Vec<u8> {
        let Self { headers, status, body } = self;
        if status.is_none() && body == BodyMode::Skip {
            return headers.into_answer();
        }
        Self { headers, status, body }.encode_answer()
    }

    #[inline(never)]
    fn encode_answer(self) -> Vec<u8> {
        let mut out = lent::answer(16 + self.headers.encoded.len());
        out.extend([0x92, 0]);
        self.encode(&mut out);
        out
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let fields = self.fields();
        wire::put_array(out, fields);
        for field in 0..fields {
            match (field, self.status) {
                (0, _) => self.headers.encode(out),
                (1, Some(status)) => wire::put_unsigned(out, status.into()),
                (1, None) => out.push(NIL),
                _ => self.body.encode(out),
            }
        }
    }
}
