//! What the code made by `#[guest]` calls: from the bytes of a hook to the guest's method and back.

use std::cell::{Cell, OnceCell};
use std::panic::{set_hook, PanicHookInfo};
use std::thread::LocalKey;

use crate::chunk::{RequestChunk, ResponseChunk};
use crate::de::{self, Structs};
use crate::guest::Guest;
use crate::log::{write_formatted, Level};
use crate::request::Request;
use crate::response::IncomingResponse;
use crate::summary::Summary;

/// A guest type with the cell that holds this instance's one value.
pub trait Hosted: Guest {
    /// The cell. A guest has one thread.
    fn cell() -> &'static LocalKey<OnceCell<Self>>;

    /// The value for an instance whose `configure` was not called.
    fn unconfigured() -> Self;
}

thread_local! {
    static PANICS_ARE_LOGGED: Cell<bool> = const { Cell::new(false) };
}

fn log_panics() {
    if !PANICS_ARE_LOGGED.replace(true) {
        set_hook(Box::new(log_panic));
    }
}

fn log_panic(panic: &PanicHookInfo) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    match panic.location() {
        Some(place) => write_formatted(Level::Error, format_args!("panicked at {place}: {message}")),
        None => write_formatted(Level::Error, format_args!("panicked: {message}")),
    }
}

fn with<G: Hosted, T>(call: impl FnOnce(&G) -> T) -> T {
    G::cell().with(|cell| call(cell.get_or_init(G::unconfigured)))
}

/// `configure`.
pub fn configure<G: Hosted>(config: &[u8]) -> Result<(), String> {
    log_panics();
    let guest = G::configure(de::from_slice(config, Structs::Maps).map_err(|error| error.to_string())?)?;
    G::cell().with(|cell| cell.set(guest)).map_err(|_| "configure was called twice on one instance".into())
}

/// `sentinel_needed_hooks`.
pub fn needed_hooks<G: Hosted>() -> i32 {
    with(|guest: &G| guest.needed_hooks().bits())
}

/// `on-request`.
pub fn on_request<G: Hosted>(head: &[u8]) -> Vec<u8> {
    log_panics();
    with(|guest: &G| {
        let mut request = Request::decode(head);
        match guest.on_request(&mut request) {
            Ok(()) => request.into_answer(),
            Err(response) => request.into_refusal(response),
        }
    })
}

/// `on-request` of a guest that is one function.
pub fn process(
    head: &[u8],
    process: impl for<'a> FnOnce(Request<'a>) -> Result<Request<'a>, crate::Response>,
) -> Vec<u8> {
    log_panics();
    match process(Request::decode(head)) {
        Ok(request) => request.into_answer(),
        Err(response) => response.into_answer(&[]),
    }
}

/// `on-response`.
pub fn on_response<G: Hosted>(head: &[u8], context: &[u8]) -> Vec<u8> {
    log_panics();
    with(|guest: &G| {
        let mut response = IncomingResponse::decode(head, context);
        match guest.on_response(&mut response) {
            Ok(()) => response.into_answer(),
            Err(replacement) => replacement.into_respond(),
        }
    })
}

/// `on-complete`.
pub fn on_complete<G: Hosted>(summary: &[u8], context: &[u8]) {
    log_panics();
    with(|guest: &G| guest.on_complete(&Summary::decode(summary, context)));
}

/// `on-request-chunk`.
pub fn on_request_chunk<G: Hosted>(bytes: &[u8], last: bool, context: &[u8]) -> Vec<u8> {
    log_panics();
    let mut chunk = RequestChunk::new(bytes, last, context);
    match with(|guest: &G| guest.on_request_chunk(&mut chunk)) {
        Ok(()) => chunk.into_answer(),
        Err(response) => response.into_respond(),
    }
}

/// `on-response-chunk`.
pub fn on_response_chunk<G: Hosted>(bytes: &[u8], last: bool, context: &[u8]) -> Vec<u8> {
    log_panics();
    let mut chunk = ResponseChunk::new(bytes, last, context);
    match with(|guest: &G| guest.on_response_chunk(&mut chunk)) {
        Ok(()) => chunk.into_answer(),
        Err(response) => response.into_respond(),
    }
}
