//! The hooks.

use serde::de::DeserializeOwned;

use crate::chunk::{RequestChunk, ResponseChunk};
use crate::request::Request;
use crate::response::{IncomingResponse, Response};
use crate::summary::Summary;

/// The hooks of heads, and that of the end, which a guest has a use for; see
/// [`Guest::needed_hooks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeededHooks {
    /// `on_request`.
    pub request: bool,
    /// `on_response`.
    pub response: bool,
    /// `on_complete`.
    pub completion: bool,
}

impl NeededHooks {
    /// Every hook that the guest has.
    pub const ALL: Self = Self { request: true, response: true, completion: true };

    /// As the gateway counts them.
    pub(crate) fn bits(self) -> i32 {
        i32::from(self.request) | i32::from(self.response) << 1 | i32::from(self.completion) << 2
    }
}

/// A guest: the methods written under [`#[guest]`](crate::guest) are the hooks that the gateway
/// calls, and only those.
///
/// An instance makes one call at a time, so `Cell` and `RefCell` are safe here. They suit caches
/// and counters, not state of a request: hooks of one request may run on different instances, and
/// what they share travels in the context. A panic fails the call and discards the instance; its
/// message and place are in the gateway's log.
pub trait Guest: Sized + 'static {
    /// What [`configure`](Self::configure) takes. With `#[guest]` it need not be written.
    type Config: DeserializeOwned;

    /// Make the guest from its configuration: the table `config` of the gateway's configuration,
    /// read by serde. Called once on every new instance. Without it the guest takes no
    /// configuration and is made by `Default`.
    ///
    /// # Errors A message for the operator. The guest is not taken into service; so too when the
    /// configuration is not a `Self::Config`.
    fn configure(config: Self::Config) -> Result<Self, String>;

    /// Tell which hooks this configuration has a use for: the gateway does not call the others,
    /// which saves their time. Called once, after `configure`; hooks that are not written need not
    /// be named.
    fn needed_hooks(&self) -> NeededHooks {
        NeededHooks::ALL
    }

    /// See, edit or answer a request, when its head has arrived and before anything goes to the
    /// upstream.
    ///
    /// # Errors The response for the client, in place of the guests after this one and of the
    /// upstream. Of the edits only the context is kept, for `on_complete`.
    fn on_request(&self, request: &mut Request<'_>) -> Result<(), Response> {
        let _ = request;
        Ok(())
    }

    /// See, edit or replace a response, when its head is there: the upstream's, that of a guest
    /// further down the chain, or the gateway's own.
    ///
    /// # Errors
    /// The response to send instead.
    fn on_response(&self, response: &mut IncomingResponse<'_>) -> Result<(), Response> {
        let _ = response;
        Ok(())
    }

    /// Learn how a request ended. Called for every request, whatever the outcome, also if
    /// `on_request` did not run.
    fn on_complete(&self, summary: &Summary<'_>) {
        let _ = summary;
    }

    /// Work on a chunk of a request's body, if `on_request` asked for it by
    /// [`Request::stream_body`] or [`Request::buffer_body`].
    ///
    /// # Errors
    /// The response for the client, possible only while the head is held.
    fn on_request_chunk(&self, chunk: &mut RequestChunk<'_>) -> Result<(), Response> {
        let _ = chunk;
        Ok(())
    }

    /// Work on a chunk of a response's body, if `on_response` asked for it by
    /// [`IncomingResponse::stream_body`] or [`IncomingResponse::buffer_body`].
    ///
    /// # Errors
    /// The response to send instead, possible only while the head is held.
    fn on_response_chunk(&self, chunk: &mut ResponseChunk<'_>) -> Result<(), Response> {
        let _ = chunk;
        Ok(())
    }
}
