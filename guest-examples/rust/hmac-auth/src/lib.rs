//! Lets a request pass that is signed with a secret of one of the configured keys (HTTP Message
//! Signatures, RFC 9421, with hmac-sha256), and tells the upstream whose key it was.

mod fields;
mod signature;

use std::collections::BTreeMap;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use sentinel_sdk::prelude::*;
use sentinel_sdk::{clock, equals_secret, json, kv};
use sha2::{Digest, Sha256, Sha512};

use crate::fields::{byte_sequence, Input};

/// So many signatures of one request are looked at.
const LOOKED_AT: usize = 4;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Each key's id, which is the principal, and its secret in base64: at least 32 bytes.
    #[schema(min_properties = 1)]
    keys: BTreeMap<String, String>,
    /// What a signature has to cover. Left out: `@method`, `@authority`, `@path` and `@query`.
    #[serde(default = "default_components")]
    components: Vec<String>,
    /// Seconds by which `created` may differ from the gateway's clock.
    #[serde(default = "default_clock_skew")]
    #[schema(default = 300, minimum = 1)]
    clock_skew: u32,
    /// Whether each signature needs a `nonce`, which is accepted once.
    #[serde(default = "default_require_nonce")]
    #[schema(default = true)]
    require_nonce: bool,
    /// Whether the body has to be what a signed `content-digest` says (RFC 9530).
    #[serde(default)]
    #[schema(default = false)]
    validate_body: bool,
    /// The largest body that is held for that, in bytes.
    #[serde(default = "default_body_limit")]
    #[schema(default = 1048576)]
    body_limit: u32,
    /// Where the upstream finds the key's id; what the client sent there is removed.
    #[serde(default = "default_principal_header")]
    #[schema(default = "x-principal")]
    principal_header: HeaderName,
}

fn default_components() -> Vec<String> {
    ["@method", "@authority", "@path", "@query"].map(str::to_owned).into()
}

fn default_clock_skew() -> u32 {
    300
}

fn default_require_nonce() -> bool {
    true
}

fn default_body_limit() -> u32 {
    1 << 20
}

fn default_principal_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

struct HmacAuth {
    keys: BTreeMap<String, Vec<u8>>,
    components: Vec<String>,
    clock_skew: Duration,
    require_nonce: bool,
    body_limit: Option<u32>,
    principal_header: HeaderName,
}

/// What a body has to have; empty when there may be none.
#[derive(Deserialize, Serialize)]
struct Expected {
    sha512: bool,
    digest: Vec<u8>,
}

#[guest]
impl Guest for HmacAuth {
    fn configure(config: Config) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for (id, secret) in config.keys {
            let secret = Base64::decode_vec(&secret).map_err(|_| format!("keys: {id}: it is not base64"))?;
            if secret.len() < 32 {
                return Err(format!("keys: {id}: a secret has at least 32 bytes"));
            }
            HeaderValue::parse(&id).map_err(|error| format!("keys: an id: {error}"))?;
            keys.insert(id, secret);
        }
        if keys.is_empty() {
            return Err("keys: at least one is needed".into());
        }
        if config.components.is_empty() {
            return Err("components: a signature has to cover something".into());
        }
        if let Some(place) = config.components.iter().position(|name| !signature::is_supported(name)) {
            let name = &config.components[place];
            return Err(format!("components[{place}]: {name:?} is no component that a signature can cover"));
        }
        Ok(Self {
            keys,
            components: config.components,
            clock_skew: Duration::from_secs(config.clock_skew.into()),
            require_nonce: config.require_nonce,
            body_limit: config.validate_body.then_some(config.body_limit),
            principal_header: config.principal_header,
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<(), Response> {
        let field = |name| joined(request, name);
        let (Some(inputs), Some(signatures)) = (field("signature-input"), field("signature")) else {
            return Err(refuse("a signature is required"));
        };
        let inputs = fields::inputs(&inputs).ok_or_else(|| refuse("the signature's input cannot be read"))?;
        // Others than ours, such as a proxy's, are passed over.
        let known = |input: &&Input| input.parameters.key_id.is_some_and(|id| self.keys.contains_key(id));
        let input = inputs.iter().take(LOOKED_AT).find(known).ok_or_else(|| refuse("the key is not known"))?;
        self.check(request, input, &signatures)?;
        request.set_header(&self.principal_header, input.parameters.key_id.unwrap_or_default());
        if let Some(limit) = self.body_limit {
            request.set_context(&expected(request, input)?);
            request.buffer_body(limit);
        }
        Ok(())
    }

    fn on_request_chunk(&self, chunk: &mut RequestChunk) -> Result<(), Response> {
        let Some(expected) = chunk.context::<Expected>() else { return Ok(()) };
        let fits = match (expected.digest.is_empty(), expected.sha512) {
            (true, _) => chunk.bytes().is_empty(),
            (_, true) => equals_secret(&Sha512::digest(chunk.bytes()), &expected.digest),
            (_, false) => equals_secret(&Sha256::digest(chunk.bytes()), &expected.digest),
        };
        if fits {
            Ok(())
        } else {
            Err(refuse("the body is not what was signed"))
        }
    }
}

impl HmacAuth {
    fn check(&self, request: &Request, input: &Input, signatures: &str) -> Result<(), Response> {
        let parameters = &input.parameters;
        if parameters.algorithm.is_some_and(|algorithm| algorithm != "hmac-sha256") {
            return Err(refuse("the algorithm is not hmac-sha256"));
        }
        if !self.components.iter().all(|wanted| input.components.contains(&wanted.as_str())) {
            return Err(refuse("the signature does not cover enough"));
        }
        let nonce = parameters.nonce.filter(|nonce| !nonce.is_empty());
        if self.require_nonce && nonce.is_none() {
            return Err(refuse("a nonce is required"));
        }
        let now = clock::wall();
        let created = parameters.created.map(Duration::from_secs).ok_or_else(|| refuse("the signature has no time"))?;
        if created > now + self.clock_skew || created + self.clock_skew < now {
            return Err(refuse("the signature is too old, or the clocks differ"));
        }
        if parameters.expires.is_some_and(|expires| Duration::from_secs(expires) <= now) {
            return Err(refuse("the signature has expired"));
        }
        let wrong = || refuse("the signature is not right");
        let id = parameters.key_id.unwrap_or_default();
        let signature = byte_sequence(signatures, input.label).and_then(|text| Base64::decode_vec(text).ok());
        let base = signature::base(request.head(), input).ok_or_else(wrong)?;
        if !signature::fits(&self.keys[id], &base, &signature.ok_or_else(wrong)?) {
            return Err(wrong());
        }
        match nonce {
            Some(nonce) => self.once(id, nonce),
            None => Ok(()),
        }
    }

    /// A nonce that was seen within the time for which its signature holds is a replay.
    fn once(&self, id: &str, nonce: &str) -> Result<(), Response> {
        let key = Sha256::digest(format!("{id} {nonce}"));
        match kv::add(key, 1, Some(self.clock_skew * 2 + Duration::from_secs(1))) {
            Ok(1) => Ok(()),
            Ok(_) => Err(refuse("the signature was used already")),
            Err(error) => {
                error!("cannot tell whether a signature was used already: {error}");
                Err(answer(503, "the signature cannot be checked").header("retry-after", "1"))
            }
        }
    }
}

/// What the body has to have by the digest that the signature covers.
fn expected(request: &Request, input: &Input) -> Result<Expected, Response> {
    if !input.components.contains(&"content-digest") {
        return Ok(Expected { sha512: false, digest: Vec::new() });
    }
    let field = joined(request, "content-digest").unwrap_or_default();
    let digest = |name| byte_sequence(&field, name).and_then(|text| Base64::decode_vec(text).ok());
    match (digest("sha-512"), digest("sha-256")) {
        (Some(digest), _) if digest.len() == 64 => Ok(Expected { sha512: true, digest }),
        (None, Some(digest)) if digest.len() == 32 => Ok(Expected { sha512: false, digest }),
        _ => Err(refuse("the digest of the body cannot be read")),
    }
}

/// All values of a field as one, if they are text.
fn joined(request: &Request, name: &str) -> Option<String> {
    let values: Vec<&[u8]> = request.head().headers().get_all(name).collect();
    (!values.is_empty()).then(|| String::from_utf8(values.join(&b", "[..])).ok())?
}

fn refuse(reason: &str) -> Response {
    // RFC 9421 has no challenge of its own; the scheme tells what is missing.
    answer(401, reason).header("www-authenticate", "Signature")
}

fn answer(status: u16, reason: &str) -> Response {
    Response::new(status)
        .header("content-type", "application/json")
        .body(json::Object::new().string("error", reason).into_string())
}

config_schema!(Config);
self_test!("self-test.json");

#[cfg(test)]
mod tests;
