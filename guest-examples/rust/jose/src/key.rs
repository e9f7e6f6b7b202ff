//! One key, and whether it made a signature.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier;
use p256::pkcs8::DecodePublicKey;
use rsa::{pkcs1v15, pss, BoxedUint};
use serde::Deserialize;
use sha2::{Sha256, Sha384, Sha512};

use crate::Algorithm;

/// Fewer bits are no longer accepted (RFC 7518, section 3.3); with more, one signature takes too
/// much of a call's time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A key with which tokens are verified.
#[derive(Clone, Debug)]
pub struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Secret(Box<[u8]>),
    Rsa(Box<rsa::PublicKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

/// The members of a JSON Web Key that matter (RFC 7517, section 4; RFC 7518, section 6).
#[derive(Deserialize)]
pub(crate) struct Jwk {
    kty: String,
    #[serde(default)]
    r#use: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    k: Option<String>,
}

impl Key {
    /// A shared secret, which is for this algorithm alone.
    ///
    /// # Errors
    /// If it is shorter than the algorithm's hash, or the algorithm has no secrets.
    pub fn secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, String> {
        if !algorithm.is_symmetric() {
            return Err("a secret is for HS256, HS384 or HS512".into());
        }
        let least = algorithm.least_secret();
        if secret.len() < least {
            return Err(format!("a secret for this algorithm has at least {least} bytes"));
        }
        Ok(Self { id: None, algorithm: Some(algorithm), material: Material::Secret(secret.into()) })
    }

    /// A public key in PEM: `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// If it is not one of the kinds that are supported.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let material = if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_pem(text) {
            Material::P256(key.into())
        } else if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_pem(text) {
            Material::P384(key.into())
        } else if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(text) {
            ed25519(&key.to_bytes())?
        } else if let Ok(key) = rsa::PublicKey::from_public_key_pem(text) {
            use rsa::traits::PublicKeyParts;
            rsa_key(&key.n().to_be_bytes_trimmed_vartime(), &key.e().to_be_bytes_trimmed_vartime())?
        } else {
            return Err("it is not a public key of RSA, P-256, P-384 or Ed25519 in PEM".into());
        };
        Ok(Self { id: None, algorithm: None, material })
    }

    /// A key of a key set; `None` for one that is not for signatures, or of a kind that is not
    /// supported.
    pub(crate) fn from_jwk(jwk: Jwk) -> Result<Option<Self>, String> {
        let is_for_signatures = jwk.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && jwk.key_ops.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let algorithm = jwk.alg.as_deref().map(Algorithm::parse);
        if !is_for_signatures || algorithm == Some(None) {
            return Ok(None);
        }
        let algorithm = algorithm.flatten();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => rsa_key(&member(&jwk.n, "n")?, &member(&jwk.e, "e")?)?,
            ("EC", Some("P-256")) => {
                let point = point(&member(&jwk.x, "x")?, &member(&jwk.y, "y")?, 32)?;
                Material::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(off_the_curve)?.into())
            }
            ("EC", Some("P-384")) => {
                let point = point(&member(&jwk.x, "x")?, &member(&jwk.y, "y")?, 48)?;
                Material::P384(p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(off_the_curve)?.into())
            }
            ("OKP", Some("Ed25519")) => ed25519(&member(&jwk.x, "x")?)?,
            ("oct", _) => {
                let Some(algorithm) = algorithm else {
                    return Err("a secret needs `alg`".into());
                };
                Self::secret(&member(&jwk.k, "k")?, algorithm)?.material
            }
            _ => return Ok(None),
        };
        let key = Self { id: jwk.kid, algorithm, material };
        match algorithm {
            Some(algorithm) if !key.fits(algorithm) => Err("`alg` is not one of its kind".into()),
            _ => Ok(Some(key)),
        }
    }

    /// The same key with this `kid`, and for this algorithm alone.
    ///
    /// # Errors
    /// If the key is of another kind.
    pub fn with(self, id: Option<String>, algorithm: Option<Algorithm>) -> Result<Self, String> {
        let key = Self { id, algorithm: algorithm.or(self.algorithm), material: self.material };
        match key.algorithm {
            Some(algorithm) if !key.fits(algorithm) => Err("the algorithm is not one for this kind of key".into()),
            _ => Ok(key),
        }
    }

    /// Its `kid`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether it is a shared secret.
    pub fn is_secret(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// Whether signatures of this algorithm may be verified with it.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.fits(algorithm)
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::*;
        match self.material {
            Material::Secret(_) => algorithm.is_symmetric(),
            Material::Rsa(_) => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        }
    }

    /// Whether this key made the signature of the message, by this algorithm. Always false for an
    /// algorithm that the key is not for.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        use Algorithm::*;
        if !self.is_for(algorithm) {
            return false;
        }
        match (&self.material, algorithm) {
            (Material::Secret(secret), Hs256) => mac::<Hmac<Sha256>>(secret, message, signature),
            (Material::Secret(secret), Hs384) => mac::<Hmac<Sha384>>(secret, message, signature),
            (Material::Secret(secret), Hs512) => mac::<Hmac<Sha512>>(secret, message, signature),
            (Material::Rsa(key), Rs256 | Rs384 | Rs512) => {
                pkcs1v15::Signature::try_from(signature).is_ok_and(|parsed| {
                    let key = (**key).clone();
                    match algorithm {
                        Rs256 => pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(message, &parsed).is_ok(),
                        Rs384 => pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(message, &parsed).is_ok(),
                        _ => pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(message, &parsed).is_ok(),
                    }
                })
            }
            // The salt is as long as the hash (RFC 7518, section 3.5).
            (Material::Rsa(key), Ps256 | Ps384 | Ps512) => pss::Signature::try_from(signature).is_ok_and(|parsed| {
                let key = (**key).clone();
                match algorithm {
                    Ps256 => pss::VerifyingKey::<Sha256>::new(key).verify(message, &parsed).is_ok(),
                    Ps384 => pss::VerifyingKey::<Sha384>::new(key).verify(message, &parsed).is_ok(),
                    _ => pss::VerifyingKey::<Sha512>::new(key).verify(message, &parsed).is_ok(),
                }
            }),
            (Material::P256(key), Es256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Material::P384(key), Es384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Material::Ed25519(key), EdDsa) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            _ => false,
        }
    }
}

/// The comparison takes the same time wherever the bytes differ.
fn mac<M: Mac + KeyInit>(secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let mut mac = <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.update(message);
    mac.verify_slice(signature).is_ok()
}

fn rsa_key(n: &[u8], e: &[u8]) -> Result<Material, String> {
    let (n, e) = (BoxedUint::from_be_slice_vartime(n), BoxedUint::from_be_slice_vartime(e));
    match rsa::PublicKey::new_with_size_limits(n, e, RSA_BITS) {
        Ok(key) => Ok(Material::Rsa(key.into())),
        Err(_) => Err(format!("an RSA key has {} to {} bits, and an odd exponent", RSA_BITS.start(), RSA_BITS.end())),
    }
}

fn ed25519(x: &[u8]) -> Result<Material, String> {
    let key = x.try_into().ok().and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).ok());
    match key {
        Some(key) if !key.is_weak() => Ok(Material::Ed25519(key.into())),
        _ => Err("`x` is no point of the curve, or a weak one".into()),
    }
}

/// An uncompressed point. Coordinates have their full length (RFC 7518, section 6.2.1.2).
fn point(x: &[u8], y: &[u8], length: usize) -> Result<Vec<u8>, String> {
    if x.len() != length || y.len() != length {
        return Err(format!("`x` and `y` have {length} bytes"));
    }
    Ok([&[4], x, y].concat())
}

fn off_the_curve(_: p256::ecdsa::Error) -> String {
    "it is no point of the curve".into()
}

fn member(value: &Option<String>, name: &str) -> Result<Vec<u8>, String> {
    let value = value.as_deref().ok_or_else(|| format!("`{name}` is missing"))?;
    Base64UrlUnpadded::decode_vec(value).map_err(|_| format!("`{name}` is not base64url"))
}
