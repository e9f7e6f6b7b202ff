//! Where a request carries its token (RFC 6750, section 2).

use std::borrow::Cow;

use sentinel_sdk::prelude::*;
use sentinel_sdk::RequestHead;

pub struct Places {
    pub header: HeaderName,
    pub cookie: Option<String>,
    pub query: Option<String>,
}

/// What was found.
#[derive(Debug, PartialEq)]
pub enum Found<'a> {
    None,
    One(Cow<'a, [u8]>),
    /// Which of them counts is a question that gateway and upstream could answer differently.
    Several,
}

impl Places {
    pub fn find<'a>(&self, head: &RequestHead<'a>) -> Found<'a> {
        let mut tokens: Vec<&'a [u8]> = Vec::new();
        let mut fields = 0;
        for value in head.headers().get_all(&self.header) {
            fields += 1;
            tokens.extend(bearer(value));
        }
        if fields > 1 {
            return Found::Several;
        }
        if let Some(name) = &self.cookie {
            for cookies in head.headers().get_all("cookie") {
                tokens.extend(crumbs(cookies).filter(|(key, _)| key == &name.as_bytes()).map(|(_, value)| value));
            }
        }
        if let Some(name) = &self.query {
            tokens.extend(parameters(head.query().unwrap_or_default(), name).map(str::as_bytes));
        }
        match tokens[..] {
            [] => Found::None,
            [token] => Found::One(token.into()),
            _ => Found::Several,
        }
    }

    /// Take the token out of the request, wherever it may be.
    pub fn remove(&self, request: &mut Request) {
        if request.head().header(&self.header).is_some() {
            request.remove_header(&self.header);
        }
        if let Some(name) = &self.cookie {
            let fields: Vec<&[u8]> = request.head().headers().get_all("cookie").collect();
            if fields.iter().any(|cookies| crumbs(cookies).any(|(key, _)| key == name.as_bytes())) {
                request.remove_header("cookie");
                for cookies in fields {
                    let kept = crumbs(cookies).filter(|(key, _)| key != &name.as_bytes());
                    let kept: Vec<Vec<u8>> = kept.map(|(key, value)| [key, b"=", value].concat()).collect();
                    if !kept.is_empty() {
                        request.append_header("cookie", kept.join(&b"; "[..]));
                    }
                }
            }
        }
        if let (Some(name), Some(query)) = (&self.query, request.head().query()) {
            if parameters(query, name).next().is_some() {
                let kept: Vec<&str> =
                    query.split('&').filter(|pair| pair.split_once('=').map(|(key, _)| key) != Some(name)).collect();
                request.set_query(kept.join("&"));
            }
        }
    }
}

/// The token of `Bearer TOKEN`, whatever the scheme's case; another scheme is none of ours.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii_start())
}

/// The pairs of a cookie field (RFC 6265, section 4.2.1).
fn crumbs(cookies: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    cookies.split(|&byte| byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    })
}

/// The values of a parameter as they are written: no character of a token is ever escaped.
fn parameters<'q, 'n>(query: &'q str, name: &'n str) -> impl Iterator<Item = &'q str> + use<'q, 'n> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}
