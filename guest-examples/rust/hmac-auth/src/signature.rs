//! What is signed (RFC 9421, section 2.5), and whether a signature fits it.

use hmac::{Hmac, KeyInit, Mac};
use sentinel_sdk::RequestHead;
use sha2::Sha256;

use crate::fields::Input;

/// The components of a request that are no header fields (RFC 9421, section 2.2), as far as they
/// are supported.
const DERIVED: [&str; 7] = ["@method", "@authority", "@scheme", "@path", "@query", "@request-target", "@target-uri"];

/// Whether a signature can cover a component of this name: names of fields are in lower case
/// (RFC 9421, section 2.1).
pub fn is_supported(name: &str) -> bool {
    let is_of_name =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
    DERIVED.contains(&name) || (!name.is_empty() && name.bytes().all(is_of_name))
}

/// The bytes that the signature of an input is made of; `None` if a component is not there or not
/// supported.
pub fn base(head: &RequestHead, input: &Input) -> Option<Vec<u8>> {
    let mut base = Vec::with_capacity(256);
    for (place, name) in input.components.iter().enumerate() {
        if input.components[..place].contains(name) {
            return None;
        }
        base.extend_from_slice(format!("\"{name}\": ").as_bytes());
        base.extend(component(head, name)?);
        base.push(b'\n');
    }
    base.extend_from_slice(format!("\"@signature-params\": {}", input.text).as_bytes());
    Some(base)
}

/// Whether the secret made the signature; in the same time wherever it differs.
pub fn fits(secret: &[u8], base: &[u8], signature: &[u8]) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.update(base);
    mac.verify_slice(signature).is_ok()
}

fn component(head: &RequestHead, name: &str) -> Option<Vec<u8>> {
    let query = || head.query().map(|query| format!("?{query}"));
    let text = match name {
        "@method" => head.method().into(),
        "@authority" => authority(head),
        "@scheme" => head.scheme().into(),
        "@path" => head.path().into(),
        "@query" => query().unwrap_or_else(|| "?".into()),
        "@request-target" => head.path().to_owned() + &query().unwrap_or_default(),
        "@target-uri" => {
            format!("{}://{}{}{}", head.scheme(), authority(head), head.path(), query().unwrap_or_default())
        }
        _ => return field(head, name),
    };
    Some(text.into_bytes())
}

/// All values of a field (RFC 9421, section 2.1).
fn field(head: &RequestHead, name: &str) -> Option<Vec<u8>> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'@') {
        return None;
    }
    let values: Vec<&[u8]> = head.headers().get_all(name).map(<[u8]>::trim_ascii).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

/// In lower case, and without the scheme's own port (RFC 9421, section 2.2.3).
fn authority(head: &RequestHead) -> String {
    let authority = head.authority().to_ascii_lowercase();
    let port = if head.scheme() == "https" { ":443" } else { ":80" };
    authority.strip_suffix(port).map(str::to_owned).unwrap_or(authority)
}
