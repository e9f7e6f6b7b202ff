//! A stored response: its head, and how long it is fresh (RFC 9111, section 4.2).

use sentinel_sdk::Response;

use crate::dates;
use crate::directives::Directives;
use crate::wire::{Reader, Writer};

pub type Fields = Vec<(String, Vec<u8>)>;

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub status: u16,
    pub fields: Fields,
    /// When the response came, in seconds since 1970.
    pub at: u64,
    /// How old it was then.
    pub age: u64,
    /// How old it may be.
    pub lifetime: u64,
    /// It may never be used when it is stale without a validation.
    pub must_revalidate: bool,
    /// Clients may not ask for it when it is stale: `s-maxage` means so (section 5.2.2.10).
    pub has_s_maxage: bool,
    /// It may be used after a validation only.
    pub no_cache: bool,
    /// It may answer requests with credentials (section 3.5).
    pub shared: bool,
    pub stale_while_revalidate: u64,
    pub stale_if_error: u64,
    /// Where its body is, and in how many parts.
    pub id: u64,
    pub parts: u64,
}

/// Fields that the gateway writes, or that say how old this copy is.
const NOT_STORED: [&str; 10] = [
    "age",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "cache-status",
];

/// Fields of a 304 that do not describe the stored content (section 3.2).
const OF_THE_CONTENT: [&str; 4] = ["content-encoding", "content-type", "content-range", "content-length"];

impl Entry {
    /// `None` if a shared cache must not store the response, or if nothing says for how long.
    pub fn new(status: u16, fields: Fields, now: u64, default_lifetime: u64, authorized: bool) -> Option<Self> {
        let directives = Directives::parse(values(&fields, "cache-control"));
        let shared = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
        // Most caches store no cookies, whatever the upstream says: they are somebody's.
        let is_personal = values(&fields, "set-cookie").next().is_some();
        let vary_any = members(&fields, "vary").any(|name| name == "*");
        // A part, and the answer to a validation, are no whole response.
        let is_whole = !matches!(status, 206 | 304) && values(&fields, "content-range").next().is_none();
        if directives.no_store || directives.private || is_personal || vary_any || !is_whole || (authorized && !shared)
        {
            return None;
        }
        let date = first(&fields, "date").and_then(dates::parse).unwrap_or(now);
        let said = first(&fields, "age").and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok());
        let expires = || first(&fields, "expires").map(|text| dates::parse(text).unwrap_or(0).saturating_sub(date));
        let explicit = directives.s_maxage.or(directives.max_age).or_else(expires);
        let entry = Self {
            status,
            at: now,
            age: now.saturating_sub(date).max(said.unwrap_or(0)),
            lifetime: explicit.unwrap_or(if is_heuristic(status) { default_lifetime } else { 0 }),
            must_revalidate: directives.must_revalidate,
            has_s_maxage: directives.s_maxage.is_some(),
            no_cache: directives.no_cache,
            shared,
            stale_while_revalidate: directives.stale_while_revalidate.unwrap_or(0),
            stale_if_error: directives.stale_if_error.unwrap_or(0),
            id: 0,
            parts: 0,
            fields: fields.into_iter().filter(|(name, _)| !NOT_STORED.contains(&name.as_str())).collect(),
        };
        let is_of_use = entry.lifetime > entry.age || (explicit.is_some() && entry.has_validator());
        is_of_use.then_some(entry)
    }

    pub fn age_at(&self, now: u64) -> u64 {
        self.age + now.saturating_sub(self.at)
    }

    /// Seconds for which it is fresh, and 0 if it is not.
    pub fn fresh_for(&self, now: u64) -> u64 {
        self.lifetime.saturating_sub(self.age_at(now))
    }

    /// Seconds for which it has been stale.
    pub fn stale_for(&self, now: u64) -> u64 {
        self.age_at(now).saturating_sub(self.lifetime)
    }

    /// How long it can be of use: fresh, stale as far as that is allowed, and for a while to be
    /// validated.
    pub fn keep_for(&self, now: u64, validation: u64) -> u64 {
        let stale = if self.must_revalidate { 0 } else { self.stale_while_revalidate.max(self.stale_if_error) };
        self.fresh_for(now) + stale.max(if self.has_validator() { validation } else { 0 })
    }

    pub fn field(&self, name: &str) -> Option<&[u8]> {
        first(&self.fields, name)
    }

    pub fn has_validator(&self) -> bool {
        self.field("etag").is_some() || self.field("last-modified").is_some()
    }

    /// The names in `vary`, in lower case, in order, each once.
    pub fn vary(&self) -> Vec<String> {
        let mut names: Vec<String> = members(&self.fields, "vary").collect();
        names.sort();
        names.dedup();
        names
    }

    /// This response after a 304 (section 4.3.4); `None` if the 304 says that it must not be
    /// stored.
    pub fn freshened(&self, by: Fields, now: u64, default_lifetime: u64) -> Option<Self> {
        let news: Fields = by.into_iter().filter(|(name, _)| !OF_THE_CONTENT.contains(&name.as_str())).collect();
        let mut fields = self.fields.clone();
        fields.retain(|(name, _)| !news.iter().any(|(newer, _)| newer == name));
        // What the old copy said about its time is over.
        fields.retain(|(name, _)| name != "date");
        fields.extend(news);
        let fresh = Self::new(self.status, fields, now, default_lifetime, self.shared)?;
        Some(Self { id: self.id, parts: self.parts, ..fresh })
    }

    /// The response for a client, or a 304 if what it has is this (section 4.3.2).
    pub fn response(
        &self,
        body: Vec<u8>,
        now: u64,
        none_match: Option<&[u8]>,
        modified_since: Option<&[u8]>,
    ) -> Response {
        let is_known = self.status == 200
            && match (none_match, modified_since) {
                (Some(tags), _) => self.field("etag").is_some_and(|tag| matches_weakly(tags, tag)),
                (None, Some(since)) => {
                    let modified = self.field("last-modified").and_then(dates::parse);
                    modified.zip(dates::parse(since)).is_some_and(|(modified, since)| modified <= since)
                }
                (None, None) => false,
            };
        let mut response = Response::new(if is_known { 304 } else { self.status });
        for (name, value) in &self.fields {
            if !(is_known && OF_THE_CONTENT.contains(&name.as_str())) {
                response = response.header(name, value);
            }
        }
        response = response.header("age", self.age_at(now).to_string());
        if is_known {
            response
        } else {
            response.body(body)
        }
    }

    pub fn write(&self, out: &mut Writer) {
        let flags = [self.has_s_maxage, self.must_revalidate, self.no_cache, self.shared];
        let flags = flags.iter().fold(0, |bits, &flag| bits << 1 | u64::from(flag));
        let times = [self.at, self.age, self.lifetime, self.stale_while_revalidate, self.stale_if_error];
        for number in [self.status.into(), flags, self.id, self.parts].into_iter().chain(times) {
            out.number(number);
        }
        out.fields(&self.fields);
    }

    pub fn read(reader: &mut Reader) -> Option<Self> {
        let status = reader.number()?.try_into().ok()?;
        let flags = reader.number()?;
        Some(Self {
            status,
            has_s_maxage: flags & 8 != 0,
            must_revalidate: flags & 4 != 0,
            no_cache: flags & 2 != 0,
            shared: flags & 1 != 0,
            id: reader.number()?,
            parts: reader.number()?,
            at: reader.number()?,
            age: reader.number()?,
            lifetime: reader.number()?,
            stale_while_revalidate: reader.number()?,
            stale_if_error: reader.number()?,
            fields: reader.fields()?,
        })
    }
}

/// What may be stored without a word about its time (RFC 9110, section 15.1).
fn is_heuristic(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

pub fn values<'f>(fields: &'f Fields, name: &'f str) -> impl Iterator<Item = &'f [u8]> {
    fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| &value[..])
}

fn first<'f>(fields: &'f Fields, name: &str) -> Option<&'f [u8]> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| &value[..])
}

/// The members of a list of names, in lower case.
fn members<'f>(fields: &'f Fields, name: &'f str) -> impl Iterator<Item = String> + 'f {
    let members = values(fields, name).flat_map(|value| value.split(|&byte| byte == b','));
    members.map(|member| String::from_utf8_lossy(member).trim().to_ascii_lowercase()).filter(|name| !name.is_empty())
}

/// RFC 9110, sections 8.8.3.2 and 13.1.2.
fn matches_weakly(tags: &[u8], tag: &[u8]) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let wanted = opaque(tag);
    tags.trim_ascii() == b"*" || tags.split(|&byte| byte == b',').any(|tag| opaque(tag.trim_ascii()) == wanted)
}
