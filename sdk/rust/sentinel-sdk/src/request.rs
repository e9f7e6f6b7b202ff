//! The request that a guest sees and edits.

use std::borrow::Cow;
use std::cell::Cell;

use serde::Serialize;

use crate::context;
use crate::edits::{edited, first_value, BodyMode, HeaderEdits, RequestEdits};
use crate::headers::Headers;
use crate::response::Response;
use crate::text::utf8;
use crate::wire::{Malformed, Reader};

/// What is known of a client that showed a certificate in the TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate<'a> {
    /// The subject's distinguished name (RFC 4514), for example `CN=alice,O=Example`.
    pub subject: &'a str,
    /// The subject's alternative names with their kind, for example `URI:spiffe://example.org/a`.
    pub names: Vec<&'a str>,
    /// SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub sha256: &'a str,
    /// Whether an authority of the listener has signed it, and it was valid at the handshake.
    pub verified: bool,
}

impl<'a> ClientCertificate<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        if reader.array()? < 4 {
            return Err(Malformed);
        }
        let subject = reader.str()?;
        let count = reader.array()?;
        let names = (0..count).map(|_| reader.str()).collect::<Result<_, _>>()?;
        Ok(Self { subject, names, sha256: reader.str()?, verified: reader.bool()? })
    }
}

/// The fields that every request-head has.
const FIELDS: u32 = 10;
const AS_AGREED: &str = "the host's request-head is as the contract says";

/// A request's head as it reached this guest. Everything borrows from the payload; what stands
/// behind the header fields is decoded, and that text is UTF-8 is checked, when it is asked for:
/// most guests look at little of it.
#[derive(Debug)]
pub struct RequestHead<'a> {
    method: &'a [u8],
    path: &'a [u8],
    query: Option<&'a [u8]>,
    headers: Headers<'a>,
    fields: u32,
    behind_headers: Cell<Option<Reader<'a>>>,
}

impl<'a> RequestHead<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let fields = reader.array()?;
        if fields < FIELDS {
            return Err(Malformed);
        }
        Ok(Self {
            fields,
            method: reader.text()?,
            path: reader.text()?,
            query: reader.option(Reader::text)?,
            headers: Headers::read(&mut reader)?,
            behind_headers: Cell::new(None),
        })
    }

    /// The method, case as sent, for example `GET`.
    pub fn method(&self) -> &'a str {
        text(self.method)
    }

    /// The canonical path, percent-encoded where needed, without the query; begins with `/`, or is
    /// `*` for `OPTIONS *`.
    pub fn path(&self) -> &'a str {
        text(self.path)
    }

    /// What follows the first `?` of the target; `None` when there was no `?`.
    pub fn query(&self) -> Option<&'a str> {
        self.query.map(text)
    }

    /// The end-to-end header fields in the order of arrival.
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// The value of the first header field of that name. Values are bytes: they need not be UTF-8.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.get(name)
    }

    /// `http` or `https`: how the client reached the gateway.
    pub fn scheme(&self) -> &'a str {
        self.text_behind_headers(0)
    }

    /// The host and optional port that the client asked for.
    pub fn authority(&self) -> &'a str {
        self.text_behind_headers(1)
    }

    /// The client's address, after trusted proxies are resolved; empty when unknown.
    pub fn client(&self) -> &'a str {
        self.text_behind_headers(2)
    }

    /// The request's id: 1 to 128 characters of `[A-Za-z0-9._-]`.
    pub fn request_id(&self) -> &'a str {
        self.text_behind_headers(3)
    }

    /// The name of the route that was chosen.
    pub fn route(&self) -> &'a str {
        self.text_behind_headers(4)
    }

    /// `1.0`, `1.1`, `2` or `3`.
    pub fn http_version(&self) -> &'a str {
        self.text_behind_headers(5)
    }

    /// The certificate that the client showed, if the listener asks for one and it showed one.
    pub fn client_certificate(&self) -> Option<ClientCertificate<'a>> {
        if self.fields == FIELDS {
            return None;
        }
        self.behind_headers(6, |reader| reader.option(ClientCertificate::read))
    }

    fn text_behind_headers(&self, field: u32) -> &'a str {
        self.behind_headers(field, Reader::str)
    }

    fn behind_headers<T>(&self, field: u32, read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>) -> T {
        let value = || {
            let mut reader = match self.behind_headers.get() {
                Some(reader) => reader,
                None => self.headers.end()?,
            };
            self.behind_headers.set(Some(reader));
            reader.skip(field)?;
            read(&mut reader)
        };
        value().expect(AS_AGREED)
    }
}

fn text(bytes: &[u8]) -> &str {
    utf8(bytes).expect(AS_AGREED)
}

/// A request on its way to the upstream. Reading shows it with the edits made so far;
/// [`head`](Self::head) shows it as it arrived, and what that returns can be kept while the request
/// is edited.
#[derive(Debug)]
pub struct Request<'a> {
    head: RequestHead<'a>,
    edits: RequestEdits,
}

impl<'a> Request<'a> {
    /// Read the payload of `on-request`, a `request-head`.
    ///
    /// # Panics
    /// If it is not one.
    pub fn decode(payload: &'a [u8]) -> Self {
        let head = RequestHead::read(payload).expect(AS_AGREED);
        Self { head, edits: RequestEdits::default() }
    }

    /// The request as it reached this guest.
    pub fn head(&self) -> &RequestHead<'a> {
        &self.head
    }

    /// The method, for example `GET`.
    pub fn method(&self) -> &str {
        self.edits.method.as_deref().unwrap_or_else(|| self.head.method())
    }

    /// The path; see [`RequestHead::path`].
    pub fn path(&self) -> &str {
        self.edits.path.as_deref().unwrap_or_else(|| self.head.path())
    }

    /// The query without `?`, or `None`.
    pub fn query(&self) -> Option<&str> {
        match &self.edits.query {
            Some(query) => Some(query.as_str()).filter(|query| !query.is_empty()),
            None => self.head.query(),
        }
    }

    /// The value of the first header field of that name, whatever its case. Values are bytes: they
    /// need not be UTF-8. It can be kept while the request is edited: a value that arrived is
    /// borrowed from the payload, one that this guest has set is a copy.
    #[inline(always)]
    pub fn header(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        first_value(self.head.headers, &self.edits.headers, name)
    }

    /// Every header field's name, in lower case, and value, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        edited(self.head.headers.iter(), &self.edits.headers)
    }

    /// See [`RequestHead::scheme`].
    pub fn scheme(&self) -> &'a str {
        self.head.scheme()
    }

    /// See [`RequestHead::authority`].
    pub fn authority(&self) -> &'a str {
        self.head.authority()
    }

    /// See [`RequestHead::client`].
    pub fn client(&self) -> &'a str {
        self.head.client()
    }

    /// See [`RequestHead::request_id`].
    pub fn request_id(&self) -> &'a str {
        self.head.request_id()
    }

    /// See [`RequestHead::route`].
    pub fn route(&self) -> &'a str {
        self.head.route()
    }

    /// See [`RequestHead::client_certificate`].
    pub fn client_certificate(&self) -> Option<ClientCertificate<'a>> {
        self.head.client_certificate()
    }

    /// See [`RequestHead::http_version`].
    pub fn http_version(&self) -> &'a str {
        self.head.http_version()
    }

    /// The edits made so far.
    pub fn edits(&self) -> &RequestEdits {
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

    /// A new path: canonical, beginning with `/`. It does not choose another route.
    pub fn set_path(&mut self, path: impl Into<String>) {
        self.edits.path = Some(path.into());
    }

    /// A new query, without `?`; empty removes it.
    pub fn set_query(&mut self, query: impl Into<String>) {
        self.edits.query = Some(query.into());
    }

    /// A new method; the gateway refuses `CONNECT`.
    pub fn set_method(&mut self, method: impl Into<String>) {
        self.edits.method = Some(method.into());
    }

    /// Send the request to this upstream, which the configuration must grant to this guest.
    pub fn set_upstream(&mut self, upstream: impl Into<String>) {
        self.edits.upstream = Some(upstream.into());
    }

    /// Let `on_request_chunk` see the body chunk by chunk, as it arrives.
    pub fn stream_body(&mut self) {
        self.edits.body = BodyMode::Stream;
    }

    /// Let `on_request_chunk` see the body whole, with the head held until it is there; one of more
    /// than `limit` bytes is answered 413.
    pub fn buffer_body(&mut self, limit: u32) {
        self.edits.body = BodyMode::Buffer(limit);
    }

    /// Take back `stream_body` or `buffer_body`: the body passes by this guest, which is the
    /// default.
    pub fn skip_body(&mut self) {
        self.edits.body = BodyMode::Skip;
    }

    /// Leave a value for this guest's later hooks on the same request. State belongs here, not into
    /// the guest: hooks of one request may run on different instances. At most 64 KiB unless
    /// configured.
    ///
    /// # Panics
    /// If the value's `Serialize` fails.
    pub fn set_context(&mut self, value: &(impl Serialize + ?Sized)) {
        self.edits.context = context::encode(value);
    }

    /// The same with bytes of the guest's own making, for `context_bytes` of the later hooks.
    pub fn set_context_bytes(&mut self, bytes: impl Into<Vec<u8>>) {
        self.edits.context = bytes.into();
    }

    /// The bytes that answer `on-request`: a `request-action`, or `nil` when nothing changes.
    #[inline(always)]
    pub fn into_answer(self) -> Vec<u8> {
        self.edits.into_answer()
    }

    /// The bytes that answer `on-request` with a response; the context goes with it, all other
    /// edits are dropped.
    #[inline(always)]
    pub fn into_refusal(self, response: Response) -> Vec<u8> {
        response.into_answer(&self.edits.into_context())
    }
}
