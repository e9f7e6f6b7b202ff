//! Native tests of what stands between the bytes of a hook and a guest's code.

mod chunk;
mod config_schema;
mod contract;
mod de;
mod headers;
mod json;
mod lent;
mod request;
mod response;
mod scratch;
mod secrets;
mod summary;
mod testing;
mod text;
mod wire;

/// Bytes written as hexadecimal digits, with blanks where one likes.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
