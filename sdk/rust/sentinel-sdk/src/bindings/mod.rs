//! What wit-bindgen makes of the contract: a module for each world, and in each an export macro
//! that only guests with that hook use. The hooks of heads are exported by `lent`, where their macros
//! leave nothing but the type of the component. All `unsafe` code of this crate is there, in `lent`
//! and in `text`.
//!
//! The files are written by `generate-bindings`, which lies beside this crate; a check holds them
//! to `wit/`.

#![allow(missing_docs, unsafe_code, clippy::all)]

#[rustfmt::skip]
pub mod completion;
#[rustfmt::skip]
pub mod lifecycle;
#[rustfmt::skip]
pub mod request;
#[rustfmt::skip]
pub mod request_body;
#[rustfmt::skip]
pub mod response;
#[rustfmt::skip]
pub mod response_body;
