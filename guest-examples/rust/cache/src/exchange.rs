//! What the request hook leaves for the later ones.

use sentinel_sdk::{error, IncomingResponse, Request};

use crate::entry::{values, Fields};
use crate::store::{self, UrlKey};
use crate::wire::{Reader, Writer};

/// What the response is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    Store { is_get: bool },
    Validate { place: Vec<u8>, is_get: bool },
    Invalidate,
}

pub struct Exchange {
    pub purpose: Purpose,
    pub url: UrlKey,
    /// Of this exchange alone: where its response's head waits for the body.
    pub number: u64,
    /// Why the request goes on, in the words of RFC 9211.
    pub forward: String,
    /// Route, scheme and authority: a URL on the same host differs in what follows.
    host: [String; 3],
    /// The request's fields, for what responses vary by.
    pub fields: Fields,
}

impl Exchange {
    pub fn of(request: &Request, url: UrlKey, purpose: Purpose) -> Self {
        let is_change = purpose == Purpose::Invalidate;
        let number = if is_change { 0 } else { store::next_number().unwrap_or(0) };
        let host = [request.route(), request.scheme(), request.authority()].map(str::to_ascii_lowercase);
        Self {
            purpose,
            url,
            number,
            forward: String::new(),
            host,
            fields: if is_change { Vec::new() } else { fields_of(request) },
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let (kind, place): (u64, &[u8]) = match &self.purpose {
            Purpose::Store { is_get } => (u64::from(*is_get), b""),
            Purpose::Validate { place, is_get } => (2 + u64::from(*is_get), place),
            Purpose::Invalidate => (4, b""),
        };
        out.number(kind);
        out.bytes(place);
        out.bytes(&self.url);
        out.number(self.number);
        out.bytes(self.forward.as_bytes());
        for part in &self.host {
            out.bytes(part.as_bytes());
        }
        out.fields(&self.fields);
        // Beyond what a context may have the response is not stored, which is better than failing.
        if out.0.len() > 60_000 {
            error!("the request's header fields are too large: its response is not stored");
            return Vec::new();
        }
        out.0
    }

    /// `None` for a request that the cache has nothing to do with.
    pub fn decode(context: &[u8]) -> Option<Self> {
        let mut reader = Reader(context);
        let kind = reader.number()?;
        let place = reader.bytes()?.to_vec();
        let purpose = match kind {
            0 | 1 => Purpose::Store { is_get: kind == 1 },
            2 | 3 => Purpose::Validate { place, is_get: kind == 3 },
            _ => Purpose::Invalidate,
        };
        Some(Self {
            purpose,
            url: reader.bytes()?.try_into().ok()?,
            number: reader.number()?,
            forward: reader.text()?,
            host: [reader.text()?, reader.text()?, reader.text()?],
            fields: reader.fields()?,
        })
    }

    /// Whether the request had such a field.
    pub fn has(&self, name: &str) -> bool {
        values(&self.fields, name).next().is_some()
    }

    pub fn none_match(&self) -> Option<&[u8]> {
        values(&self.fields, "if-none-match").next()
    }

    pub fn modified_since(&self) -> Option<&[u8]> {
        values(&self.fields, "if-modified-since").next()
    }

    /// The place of a URL that a response names, if it is a path, or has this host.
    pub fn url_on_same_host(&self, url: &str) -> Option<UrlKey> {
        let [route, scheme, authority] = &self.host;
        let target = match url.split_once("://") {
            Some((other, rest)) if other.eq_ignore_ascii_case(scheme) => {
                let (host, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
                host.eq_ignore_ascii_case(authority).then(|| &rest[host.len()..])?
            }
            Some(_) => return None,
            None if url.starts_with('/') && !url.starts_with("//") => url,
            None => return None,
        };
        let target = target.split('#').next().unwrap_or_default();
        Some(store::url_key(&[route, scheme, authority, target]))
    }
}

/// The place of the request's URL.
pub fn url_of(request: &Request) -> UrlKey {
    let target = match request.query() {
        Some(query) => format!("{}?{query}", request.path()),
        None => request.path().to_owned(),
    };
    let host = [request.route(), request.scheme(), request.authority()].map(str::to_ascii_lowercase);
    store::url_key(&[&host[0], &host[1], &host[2], &target])
}

pub fn fields_of(request: &Request) -> Fields {
    request.head().headers().iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

pub fn fields_of_response(response: &IncomingResponse) -> Fields {
    response.head().headers().iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}
