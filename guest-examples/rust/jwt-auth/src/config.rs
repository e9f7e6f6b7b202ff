//! What an operator configures.

use std::collections::BTreeMap;
use std::time::Duration;

use jose::base64ct::{Base64, Encoding};
use jose::{Algorithm, Key, KeySet, Remote, Scopes, Validation};
use sentinel_sdk::prelude::*;

use crate::credential::Places;
use crate::seen::Seen;
use crate::JwtAuth;

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the issuer publishes its keys, a JSON Web Key Set.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Seconds for which fetched keys are used before they are fetched again.
    #[serde(default = "default_jwks_cache")]
    #[schema(default = 300, minimum = 1)]
    pub jwks_cache: u32,
    /// Seconds between two fetches because of tokens that name an unknown key, and between two
    /// attempts while fetched keys cannot be renewed.
    #[serde(default = "default_jwks_refresh")]
    #[schema(default = 10, minimum = 1)]
    pub jwks_refresh: u32,
    /// Seconds for which fetched keys are used on while they cannot be fetched again.
    #[serde(default = "default_jwks_stale")]
    #[schema(default = 3600)]
    pub jwks_stale: u32,
    /// A JSON Web Key Set, as text.
    #[serde(default)]
    pub jwks: Option<String>,
    /// Single keys.
    #[serde(default)]
    pub keys: Vec<KeyConfig>,
    /// The algorithms that are accepted, such as `RS256`. Left out: those that fit the keys.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// Accepted kinds of tokens, by `typ`, such as `at+jwt` for access tokens (RFC 9068). Left out:
    /// any.
    #[serde(default)]
    pub types: Vec<String>,
    /// Accepted values of `iss`. Left out: any.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// `aud` has to hold one of these. Left out: any.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Claims that have to be there. Left out: `exp`.
    #[serde(default = "default_required_claims")]
    pub required_claims: Vec<String>,
    /// Claims that have to have, or to hold, one of these values; otherwise the answer is 403.
    #[serde(default)]
    pub require: BTreeMap<String, Vec<String>>,
    /// Scopes that `scope` or `scp` has to hold, all of them; otherwise the answer is 403.
    #[serde(default)]
    pub required_scopes: Vec<String>,
    /// Seconds by which clocks may differ.
    #[serde(default = "default_leeway")]
    #[schema(default = 60, maximum = 86400)]
    pub leeway: u32,
    /// Where the upstream finds the principal; what the client sent there is removed.
    #[serde(default = "default_principal_header")]
    #[schema(default = "x-principal")]
    pub principal_header: HeaderName,
    /// The claim that names the principal.
    #[serde(default = "default_principal_claim")]
    #[schema(default = "sub")]
    pub principal_claim: String,
    /// Further headers for the upstream, and the claim that each gets; dots lead into objects.
    #[serde(default)]
    pub claim_to_headers: BTreeMap<HeaderName, String>,
    /// The header with `Bearer TOKEN`.
    #[serde(default = "default_header")]
    #[schema(default = "authorization")]
    pub header: HeaderName,
    /// A cookie that may hold the token instead.
    #[serde(default)]
    pub cookie: Option<String>,
    /// A query parameter that may hold the token instead.
    #[serde(default)]
    pub query: Option<String>,
    /// Whether the upstream gets the token.
    #[serde(default = "default_forward")]
    #[schema(default = true)]
    pub forward: bool,
    /// Whether requests without a token pass, without a principal.
    #[serde(default)]
    #[schema(default = false)]
    pub optional: bool,
    /// The realm of the challenge.
    #[serde(default = "default_realm")]
    #[schema(default = "sentinel")]
    pub realm: String,
}

#[derive(ConfigSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// Which tokens are checked with it: those with this `kid` and those with none. Left out: all.
    #[serde(default)]
    pub kid: Option<String>,
    /// The only algorithm that it is used for; a secret needs one.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// A public key in PEM.
    #[serde(default)]
    pub public_key: Option<String>,
    /// A shared secret, for HS256, HS384 or HS512: at least 32, 48 or 64 bytes.
    #[serde(default)]
    pub secret: Option<String>,
    /// The same in base64.
    #[serde(default)]
    pub secret_base64: Option<String>,
}

fn default_jwks_cache() -> u32 {
    300
}

fn default_jwks_refresh() -> u32 {
    10
}

fn default_jwks_stale() -> u32 {
    3600
}

fn default_required_claims() -> Vec<String> {
    vec!["exp".into()]
}

fn default_leeway() -> u32 {
    60
}

fn default_principal_header() -> HeaderName {
    HeaderName::parse("x-principal").expect("a header name")
}

fn default_principal_claim() -> String {
    "sub".into()
}

fn default_header() -> HeaderName {
    HeaderName::parse("authorization").expect("a header name")
}

fn default_forward() -> bool {
    true
}

fn default_realm() -> String {
    "sentinel".into()
}

impl Config {
    pub fn build(self) -> Result<JwtAuth, String> {
        let mut keys = Vec::with_capacity(self.keys.len());
        for (place, key) in self.keys.into_iter().enumerate() {
            keys.push(key.build().map_err(|reason| format!("keys[{place}]: {reason}"))?);
        }
        let mut keys = KeySet::new(keys);
        if let Some(jwks) = &self.jwks {
            keys.extend(KeySet::configured(jwks).map_err(|reason| format!("jwks: {reason}"))?);
        }
        if keys.is_empty() && self.jwks_uri.is_none() {
            return Err("one of jwks_uri, jwks and keys is needed".into());
        }
        // RFC 9110, section 5.6.4: within a quoted-string these two would need escapes.
        if self.realm.bytes().any(|byte| byte.is_ascii_control() || byte == b'"' || byte == b'\\') {
            return Err("realm: it cannot hold quotation marks, backslashes and control characters".into());
        }
        let mut headers: Vec<(HeaderName, String)> = vec![(self.principal_header, self.principal_claim)];
        for (name, claim) in self.claim_to_headers {
            if headers.iter().any(|(other, _)| *other == name) {
                return Err(format!("claim_to_headers: {} is the principal's header", &*name));
            }
            headers.push((name, claim));
        }
        if headers.iter().any(|(name, _)| *name == self.header) {
            return Err(format!("header: {} is a header for claims", &*self.header));
        }
        let algorithms = self.algorithms.iter().enumerate().map(|(place, name)| {
            Algorithm::parse(name).ok_or_else(|| format!("algorithms[{place}]: not one that is known"))
        });
        let remote = self.jwks_uri.map(|uri| {
            Remote::new(
                uri,
                [self.jwks_cache, self.jwks_refresh, self.jwks_stale].map(|s| Duration::from_secs(s.into())),
            )
        });
        Ok(JwtAuth {
            keys,
            remote,
            algorithms: algorithms.collect::<Result<_, _>>()?,
            types: self.types,
            validation: Validation {
                issuers: self.issuers,
                audiences: self.audiences,
                required: self.required_claims,
                leeway: Duration::from_secs(self.leeway.into()),
            },
            require: self.require,
            scopes: Scopes::required(self.required_scopes)?,
            headers,
            seen: Seen::default(),
            places: Places { header: self.header, cookie: self.cookie, query: self.query },
            forward: self.forward,
            optional: self.optional,
            realm: self.realm,
        })
    }
}

/// How PEM files end their lines for public keys, and for certificates, which hold one (RFC 7468).
const PUBLIC: [&[u8]; 2] = [b"PUBLIC KEY-----", b"CERTIFICATE-----"];

impl KeyConfig {
    fn build(self) -> Result<Key, String> {
        let algorithm = match &self.algorithm {
            Some(name) => Some(Algorithm::parse(name).ok_or("algorithm: not one that is known")?),
            None => None,
        };
        let secret = |name: &str, bytes: &[u8]| {
            // RFC 8725, section 2.1: what everybody may have is no secret.
            if PUBLIC.iter().any(|end| bytes.windows(end.len()).any(|part| part == *end)) {
                return Err(format!("{name}: it is a public key"));
            }
            Key::secret(bytes, algorithm.ok_or("algorithm: a secret needs one")?)
        };
        let key = match (self.public_key, self.secret, self.secret_base64) {
            (Some(pem), None, None) => Key::from_pem(&pem).map_err(|reason| format!("public_key: {reason}")),
            (None, Some(text), None) => secret("secret", text.as_bytes()),
            (None, None, Some(text)) => {
                secret("secret_base64", &Base64::decode_vec(&text).map_err(|_| "secret_base64: it is not base64")?)
            }
            _ => Err("one of public_key, secret and secret_base64 is needed".into()),
        };
        key?.with(self.kid, algorithm)
    }
}
