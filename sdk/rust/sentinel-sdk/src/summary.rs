//! How a request ended.

use serde::Deserialize;

use crate::context;
use crate::response::Origin;
use crate::wire::{Malformed, Reader};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole response went out.
    Completed,
    /// The client went away before that.
    ClientAborted,
    /// The upstream broke off after the response's head had gone out.
    UpstreamAborted,
    /// The gateway broke off: a guest failed, or a limit was hit, after the response's head had
    /// gone out.
    GatewayAborted,
}

impl Outcome {
    fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.unsigned()? {
            0 => Ok(Self::Completed),
            1 => Ok(Self::ClientAborted),
            2 => Ok(Self::UpstreamAborted),
            3 => Ok(Self::GatewayAborted),
            _ => Err(Malformed),
        }
    }

    /// The name in the contract, for example `client-aborted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientAborted => "client-aborted",
            Self::UpstreamAborted => "upstream-aborted",
            Self::GatewayAborted => "gateway-aborted",
        }
    }
}

/// What happened to a request, told once it is over. Text borrows from the payload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary<'a> {
    /// The request's id.
    pub request_id: &'a str,
    /// The method as the client sent it, before any edit.
    pub method: &'a str,
    /// The canonical path as the client sent it, before any edit.
    pub path: &'a str,
    /// The query as the client sent it.
    pub query: Option<&'a str>,
    /// The name of the route.
    pub route: &'a str,
    /// The host and optional port that the client asked for.
    pub authority: &'a str,
    /// The client's address; empty when unknown.
    pub client: &'a str,
    /// `1.0`, `1.1`, `2` or `3`.
    pub http_version: &'a str,
    /// When the request's head had arrived: microseconds since 1970-01-01 UTC.
    pub started_at: u64,
    /// From then to the end of the response, in microseconds.
    pub duration: u64,
    /// The status that the client got; 0 when it got none.
    pub status: u16,
    /// Bytes of the request's body that were received.
    pub request_bytes: u64,
    /// Bytes of the response's body that were sent.
    pub response_bytes: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Who made the response.
    pub origin: Origin,
    /// The upstream that was asked.
    pub upstream: Option<&'a str>,
    /// From the upstream request to its response's head, in microseconds.
    pub upstream_duration: Option<u64>,
    /// The endpoint of the upstream that answered, or that failed last.
    pub endpoint: Option<&'a str>,
    /// How often the request was tried, at whichever endpoint; 0 when none was asked.
    pub tries: u32,
    pub(crate) context: &'a [u8],
}

impl<'a> Summary<'a> {
    /// Read the payloads of `on-complete`, a `summary` and the context.
    ///
    /// # Panics
    /// If the summary is not one.
    pub fn decode(payload: &'a [u8], context: &'a [u8]) -> Self {
        Self::read(payload, context).expect("the host's summary is as the contract says")
    }

    fn read(payload: &'a [u8], context: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let fields = reader.array()?;
        if fields < 15 {
            return Err(Malformed);
        }
        Ok(Self {
            request_id: reader.str()?,
            method: reader.str()?,
            path: reader.str()?,
            query: reader.option_str()?,
            route: reader.str()?,
            authority: reader.str()?,
            client: reader.str()?,
            http_version: reader.str()?,
            started_at: reader.unsigned()?,
            duration: reader.unsigned()?,
            status: reader.unsigned()?.try_into().map_err(|_| Malformed)?,
            request_bytes: reader.unsigned()?,
            response_bytes: reader.unsigned()?,
            outcome: Outcome::read(&mut reader)?,
            origin: Origin::read(&mut reader)?,
            upstream: if fields > 15 { reader.option_str()? } else { None },
            upstream_duration: if fields > 16 { reader.option(|reader| reader.unsigned())? } else { None },
            endpoint: if fields > 17 { reader.option_str()? } else { None },
            tries: if fields > 18 { reader.unsigned()?.try_into().map_err(|_| Malformed)? } else { 0 },
            context,
        })
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
}
