//! Chunks of bodies, for guests that asked for them by their body mode.

use serde::Deserialize;

use crate::context;
use crate::edits::{RequestEdits, ResponseEdits};
use crate::wire::{self, NIL};

mod sealed {
    pub trait Edits: Default {
        fn is_empty(&self) -> bool;
        fn encode(&self, out: &mut Vec<u8>);
    }
}
use sealed::Edits;

impl Edits for RequestEdits {
    fn is_empty(&self) -> bool {
        RequestEdits::is_empty(self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        RequestEdits::encode(self, out);
    }
}

impl Edits for ResponseEdits {
    fn is_empty(&self) -> bool {
        ResponseEdits::is_empty(self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        ResponseEdits::encode(self, out);
    }
}

/// A chunk of a request's body.
pub type RequestChunk<'a> = Chunk<'a, RequestEdits>;

/// A chunk of a response's body.
pub type ResponseChunk<'a> = Chunk<'a, ResponseEdits>;

/// A chunk of a body, passed on unchanged unless it is replaced.
#[derive(Debug)]
pub struct Chunk<'a, E> {
    bytes: &'a [u8],
    last: bool,
    context: &'a [u8],
    replacement: Option<Vec<u8>>,
    head: E,
}

impl<'a, E: Edits> Chunk<'a, E> {
    /// Take the arguments of a chunk hook.
    pub fn new(bytes: &'a [u8], last: bool, context: &'a [u8]) -> Self {
        Self { bytes, last, context, replacement: None, head: E::default() }
    }

    /// The body's raw bytes as they arrived.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether this is the body's end. True exactly once, with an empty chunk if need be.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// The value that `on_request` left with `set_context`; `None` if it left none.
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

    /// Send these bytes instead; empty sends nothing for this chunk.
    pub fn replace(&mut self, bytes: impl Into<Vec<u8>>) {
        self.replacement = Some(bytes.into());
    }

    /// Changes to the message's head, which is still held when the body mode is `Buffer`; in
    /// another mode they fail the call. The fields `context` and `body` have no effect here.
    pub fn head(&mut self) -> &mut E {
        &mut self.head
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn into_parts(self) -> (Option<Vec<u8>>, E) {
        (self.replacement, self.head)
    }

    /// The bytes that answer the hook: a body action, or `nil` when nothing changes.
    pub fn into_answer(self) -> Vec<u8> {
        if self.head.is_empty() {
            let Some(replacement) = self.replacement else { return vec![NIL] };
            let mut out = Vec::with_capacity(replacement.len() + 12);
            out.extend([0x92, 0]);
            wire::put_bin(&mut out, &replacement);
            return out;
        }
        let mut out = vec![0x92, 2];
        wire::put_array(&mut out, if self.replacement.is_some() { 2 } else { 1 });
        self.head.encode(&mut out);
        if let Some(replacement) = &self.replacement {
            wire::put_bin(&mut out, replacement);
        }
        out
    }
}
