//! Cookies of a request (RFC 6265, section 4.2) and of an answer (section 4.1).

use sentinel_sdk::prelude::*;

/// Browsers keep 4,096 bytes of a cookie, its name and attributes among them.
pub const LONGEST: usize = 3800;

/// What follows the session cookie's name in the names of those of logins that have begun.
pub const LOGIN: &str = "_login_";

/// The value of the only cookie of that name.
pub fn value<'a>(request: &Request<'a>, name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    for field in request.head().headers().get_all("cookie") {
        for (_, value) in pairs(field).filter(|(key, _)| *key == name.as_bytes()) {
            if found.replace(value).is_some() {
                return None;
            }
        }
    }
    found
}

/// Take the session's cookie and those of logins out of the request: they are of no use to an
/// upstream. Others whose names only begin so are the upstream's own.
pub fn remove(request: &mut Request, name: &str) {
    let fields: Vec<&[u8]> = request.head().headers().get_all("cookie").collect();
    let is_ours = |key: &[u8]| {
        let rest = key.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(LOGIN.as_bytes()))
    };
    if !fields.iter().any(|field| pairs(field).any(|(key, _)| is_ours(key))) {
        return;
    }
    let kept = fields.iter().flat_map(|field| pairs(field)).filter(|(key, _)| !is_ours(key));
    let kept: Vec<Vec<u8>> = kept.map(|(key, value)| [key, b"=", value].concat()).collect();
    if kept.is_empty() {
        request.remove_header("cookie");
    } else {
        request.set_header("cookie", kept.join(&b"; "[..]));
    }
}

fn pairs(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    field.split(|&byte| byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    })
}
