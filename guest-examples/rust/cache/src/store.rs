//! Entries in `kv`. A URL has a list of the fields that its responses vary by, and an entry for
//! each combination of their values; bodies lie in parts beside it, because a value has 64 KiB at
//! most.

use std::time::Duration;

use sentinel_sdk::{error, kv};
use sha2::{Digest, Sha256};

use crate::entry::{Entry, Fields};
use crate::wire::{Reader, Writer};

/// The largest value of `kv`.
const PART: usize = 65_536;

/// A URL's place: the hash of its parts.
pub type UrlKey = [u8; 32];

/// What a URL's responses vary by. A new list has a new number, so that entries of the old one are
/// never found.
struct Variants {
    number: u64,
    names: Vec<String>,
}

pub fn url_key(parts: &[&str]) -> UrlKey {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What is stored for a request: where, and the entry.
pub struct Found {
    pub place: Vec<u8>,
    pub entry: Entry,
}

pub enum Lookup {
    Found(Box<Found>),
    /// There are responses to this URL, for other values of the fields that they vary by.
    OtherVariants,
    Nothing,
}

pub fn look_up(url: &UrlKey, request: &Fields) -> Lookup {
    let Some(variants) = variants(url) else { return Lookup::Nothing };
    let place = place(url, &variants, request);
    match load(&place) {
        Some(entry) => Lookup::Found(Box::new(Found { place, entry })),
        None => Lookup::OtherVariants,
    }
}

pub fn load(place: &[u8]) -> Option<Entry> {
    Entry::read(&mut Reader(&kv::get(place).ok()??))
}

/// `None` if a part is gone.
pub fn body(entry: &Entry) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for part in 0..entry.parts {
        body.extend(kv::get(part_key(entry.id, part)).ok()??);
    }
    Some(body)
}

/// Store an entry and its body for so many seconds.
///
/// # Errors
/// What `kv` says; then nothing is found.
pub fn store(url: &UrlKey, request: &Fields, mut entry: Entry, body: &[u8], seconds: u64) -> Result<(), kv::Error> {
    let ttl = Some(Duration::from_secs(seconds));
    let names = entry.vary();
    let variants = match variants(url) {
        Some(variants) if variants.names == names => variants,
        _ => Variants { number: next_number()?, names },
    };
    entry.id = next_number()?;
    entry.parts = body.len().div_ceil(PART) as u64;
    for (part, bytes) in body.chunks(PART).enumerate() {
        kv::set(part_key(entry.id, part as u64), bytes, ttl)?;
    }
    put(&place(url, &variants, request), &entry, ttl)?;
    let mut out = Writer::default();
    out.number(variants.number);
    out.number(variants.names.len() as u64);
    for name in &variants.names {
        out.bytes(name.as_bytes());
    }
    kv::set([b"u", &url[..]].concat(), out.0, ttl)
}

/// Keep an entry that was validated: it, its body, and the way to it.
pub fn renew(url: &UrlKey, found: &Found, body: &[u8], seconds: u64) -> Result<(), kv::Error> {
    let ttl = Some(Duration::from_secs(seconds));
    for (part, bytes) in body.chunks(PART).enumerate() {
        kv::set(part_key(found.entry.id, part as u64), bytes, ttl)?;
    }
    put(&found.place, &found.entry, ttl)?;
    let key = [b"u", &url[..]].concat();
    match kv::get(&key)? {
        Some(variants) => kv::set(key, variants, ttl),
        None => Ok(()),
    }
}

/// Forget all responses to a URL.
pub fn forget(url: &UrlKey) {
    if let Err(error) = kv::delete([b"u", &url[..]].concat()) {
        error!("what is stored for a URL cannot be forgotten: {error}");
    }
}

/// Whether nobody else has begun to validate an entry in the last seconds.
pub fn begin_validation(place: &[u8]) -> bool {
    // No longer than a request usually may take: one that ends without a response frees nothing.
    kv::add([b"l", place].concat(), 1, Some(Duration::from_secs(30))) == Ok(1)
}

pub fn end_validation(place: &[u8]) {
    // It ends by itself otherwise.
    let _ = kv::delete([b"l", place].concat());
}

/// Keep a head until its body is there: a value for the hook that sees the body, which another
/// instance may run.
pub fn put_pending(number: u64, record: Vec<u8>) -> Result<(), kv::Error> {
    kv::set([b"p", &number.to_le_bytes()[..]].concat(), record, Some(Duration::from_secs(300)))
}

pub fn take_pending(number: u64) -> Option<Vec<u8>> {
    let key = [b"p", &number.to_le_bytes()[..]].concat();
    let record = kv::get(&key).ok()??;
    let _ = kv::delete(key);
    Some(record)
}

/// Remember that a request has no body. Without this, as when there is no room for it, its response
/// is not stored.
pub fn note_no_body(number: u64) {
    // Longer than an upstream may usually take.
    let _ = kv::set([b"e", &number.to_le_bytes()[..]].concat(), "", Some(Duration::from_secs(120)));
}

/// Whether that is known of a request with a number of its own.
pub fn take_no_body(number: u64) -> bool {
    number != 0 && kv::delete([b"e", &number.to_le_bytes()[..]].concat()) == Ok(true)
}

/// A number that no other entry has.
pub fn next_number() -> Result<u64, kv::Error> {
    kv::add("n", 1, None).map(i64::cast_unsigned)
}

fn put(place: &[u8], entry: &Entry, ttl: Option<Duration>) -> Result<(), kv::Error> {
    let mut out = Writer::default();
    entry.write(&mut out);
    kv::set(place, out.0, ttl)
}

fn variants(url: &UrlKey) -> Option<Variants> {
    let record = kv::get([b"u", &url[..]].concat()).ok()??;
    let mut reader = Reader(&record);
    let number = reader.number()?;
    let count = reader.number()?;
    Some(Variants { number, names: (0..count).map(|_| reader.text()).collect::<Option<_>>()? })
}

/// The hash of the request's values of the fields that responses vary by (RFC 9111, section 4.1).
fn place(url: &UrlKey, variants: &Variants, request: &Fields) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(url);
    hash.update(variants.number.to_le_bytes());
    for name in &variants.names {
        let values: Vec<&[u8]> = crate::entry::values(request, name).collect();
        hash.update((values.len() as u64).to_le_bytes());
        let value = values.join(&b", "[..]);
        hash.update((value.len() as u64).to_le_bytes());
        hash.update(value);
    }
    [b"v", &hash.finalize()[..]].concat()
}

fn part_key(id: u64, part: u64) -> Vec<u8> {
    [b"b", &id.to_le_bytes()[..], &part.to_le_bytes()[..]].concat()
}
