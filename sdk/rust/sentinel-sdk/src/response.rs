//! Responses: those that a guest makes, and those that it sees on their way to the client.

use std::borrow::Cow;

use serde::Deserialize;

use crate::context;
use crate::edits::{edited, first_value, put_header, BodyMode, HeaderEdits, ResponseEdits};
use crate::headers::Headers;
use crate::lent;
use crate::scratch;
use crate::wire::{self, Malformed, Reader};

/// What the few header fields of a guest's response usually take.
const ROOM: usize = 128;

/// A response made by a guest.
///
/// ```
/// # use sentinel_sdk::Response;
/// let refusal = Response::new(403).header("content-type", "text/plain").body("not you");
/// assert_eq!(refusal.status(), 403);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    count: u32,
    headers: Vec<u8>,
    body: Vec<u8>,
}

impl Response {
    /// A response without header fields and body. The status is 200 to 599.
    pub fn new(status: u16) -> Self {
        Self { status, count: 0, headers: Vec::new(), body: Vec::new() }
    }

    /// Add a header field. The gateway refuses the names that [`HeaderEdits`] lists.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.count += 1;
        if self.headers.capacity() == 0 {
            self.headers = scratch::take(ROOM);
        }
        put_header(&mut self.headers, name, value.as_ref());
        self
    }

    /// The whole body; the gateway writes its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Every header field: its name in lower case, and its value, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        Headers::of(self.count, &self.headers).iter()
    }

    /// The value of the first header field of that name, whatever its case.
    pub fn get_header(&self, name: &str) -> Option<&[u8]> {
        Headers::of(self.count, &self.headers).get(name)
    }

    /// The body.
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(0x93);
        wire::put_unsigned(out, self.status.into());
        wire::put_array(out, self.count);
        out.extend_from_slice(&self.headers);
        wire::put_bin_length(out, self.body.len());
        out.extend_from_slice(&self.body);
    }

    /// As case 1, `respond`, of `request-action`, whose payload is an `answer`.
    pub(crate) fn into_answer(self, context: &[u8]) -> Vec<u8> {
        if context.is_empty() {
            return self.answer_behind(&[0x92, 1, 0x91]);
        }
        let mut out = self.answer_behind(&[0x92, 1, 0x92]);
        wire::put_bin(&mut out, context);
        out
    }

    /// As case 1, `respond`, of the other actions, whose payload is the response.
    pub(crate) fn into_respond(self) -> Vec<u8> {
        self.answer_behind(&[0x92, 1])
    }

    fn answer_behind(self, before: &[u8]) -> Vec<u8> {
        let mut out = lent::answer(before.len() + 16 + self.headers.len() + self.body.len());
        out.extend_from_slice(before);
        self.encode(&mut out);
        scratch::give_back(self.headers);
        out
    }
}

/// Who made a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The upstream.
    Upstream,
    /// A guest further down the chain.
    Guest,
    /// The gateway, for example 502 for an upstream that refused.
    Gateway,
}

impl Origin {
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.unsigned()? {
            0 => Ok(Self::Upstream),
            1 => Ok(Self::Guest),
            2 => Ok(Self::Gateway),
            _ => Err(Malformed),
        }
    }

    /// The name in the contract: `upstream`, `guest` or `gateway`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Guest => "guest",
            Self::Gateway => "gateway",
        }
    }
}

/// A response's head as it reached this guest, borrowing from the payload.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    status: u16,
    headers: Headers<'a>,
}

impl<'a> ResponseHead<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        if reader.array()? < 3 {
            return Err(Malformed);
        }
        let status = reader.unsigned()?.try_into().map_err(|_| Malformed)?;
        Ok(Self { status, headers: Headers::read(&mut reader)? })
    }

    /// The status, 200 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The end-to-end header fields in order.
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// The value of the first header field of that name. Values are bytes: they need not be UTF-8.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.get(name)
    }

    /// Who made the response.
    pub fn origin(&self) -> Origin {
        let read = || Origin::read(&mut self.headers.end()?);
        read().expect("the host's response-head is as the contract says")
    }
}

/// A response on its way to the client. Reading shows it with the edits made so far;
/// [`head`](Self::head) shows it as it arrived.
#[derive(Debug)]
pub struct IncomingResponse<'a> {
    head: ResponseHead<'a>,
    context: &'a [u8],
    edits: ResponseEdits,
}

impl<'a> IncomingResponse<'a> {
    /// Read the payloads of `on-response`, a `response-head` and the context.
    ///
    /// # Panics
    /// If the head is not one.
    pub fn decode(payload: &'a [u8], context: &'a [u8]) -> Self {
        let head = ResponseHead::read(payload).expect("the host's response-head is as the contract says");
        Self { head, context, edits: ResponseEdits::default() }
    }

    /// The response as it reached this guest.
    pub fn head(&self) -> &ResponseHead<'a> {
        &self.head
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.edits.status.unwrap_or(self.head.status)
    }

    /// The value of the first header field of that name, whatever its case. Values are bytes: they
    /// need not be UTF-8. It can be kept while the response is edited: a value that arrived is
    /// borrowed from the payload, one that this guest has set is a copy.
    #[inline(always)]
    pub fn header(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        first_value(self.head.headers, &self.edits.headers, name)
    }

    /// Every header field's name, in lower case, and value, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        edited(self.head.headers.iter(), &self.edits.headers)
    }

    /// Who made the response.
    pub fn origin(&self) -> Origin {
        self.head.origin()
    }

    /// The value that `on_request` left with `set_context`; `None` if it left none or did not run.
    ///
    /// # Panics
    /// If the context is not a `T`.
    pub fn context<T: Deserialize<'a>>(&self) -> Option<T> {
        context::decode(self.context)
    }

    /// The bytes that `on_request` left, or none.
    pub fn context_bytes(&self) -> &'a [u8] {
        self.context
    }

    /// The edits made so far.
    pub fn edits(&self) -> &ResponseEdits {
        &self.edits
    }

    /// Remove every header field of that name, then add this one.
    #[inline(always)]
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.edits.headers.set(name, value);
    }

    /// Add this header field after those of the same name.
    #[inline(always)]
    pub fn append_header(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.edits.headers.append(name, value);
    }

    /// Remove every header field of that name.
    #[inline(always)]
    pub fn remove_header(&mut self, name: &str) {
        self.edits.headers.remove(name);
    }

    /// Add changes that were made beforehand, for example from the configuration.
    #[inline(always)]
    pub fn edit_headers(&mut self, edits: &HeaderEdits) {
        self.edits.headers.extend(edits);
    }

    /// A new status, 200 to 599.
    pub fn set_status(&mut self, status: u16) {
        self.edits.status = Some(status);
    }

    /// Let `on_response_chunk` see the body chunk by chunk, as it arrives.
    pub fn stream_body(&mut self) {
        self.edits.body = BodyMode::Stream;
    }

    /// Let `on_response_chunk` see the body whole, with the head held until it is there. `limit` is
    /// the largest body accepted, in bytes.
    pub fn buffer_body(&mut self, limit: u32) {
        self.edits.body = BodyMode::Buffer(limit);
    }

    /// Take back `stream_body` or `buffer_body`: the body passes by this guest, which is the
    /// default.
    pub fn skip_body(&mut self) {
        self.edits.body = BodyMode::Skip;
    }

    /// The bytes that answer `on-response`: a `response-action`, or `nil` when nothing changes.
    #[inline(always)]
    pub fn into_answer(self) -> Vec<u8> {
        self.edits.into_answer()
    }
}
