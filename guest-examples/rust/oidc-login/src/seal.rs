//! Values that only the gateway can read or make: XChaCha20-Poly1305, whose nonces are long enough
//! to be random.

use base64ct::{Base64UrlUnpadded, Encoding};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::XChaCha20Poly1305;
use sentinel_sdk::random;
use serde::de::DeserializeOwned;
use serde::Serialize;

const NONCE: usize = 24;

pub struct Seal {
    cipher: XChaCha20Poly1305,
    issuer: String,
    client: String,
}

impl Seal {
    /// A key of 32 bytes. What was sealed for a client of one issuer opens for no other client, and
    /// for none of another issuer, whose users may be others.
    pub fn new(key: &[u8], issuer: &str, client: &str) -> Option<Self> {
        let cipher = XChaCha20Poly1305::new_from_slice(key).ok()?;
        Some(Self { cipher, issuer: issuer.into(), client: client.into() })
    }

    /// Text without characters that a cookie cannot hold. It opens for the same purpose only.
    pub fn seal(&self, purpose: &str, value: &impl Serialize) -> String {
        let plain = serde_json::to_vec(value).expect("plain data");
        let nonce = random::bytes(NONCE);
        let aad = self.aad(purpose);
        let nonce_array = nonce[..].try_into().expect("24 bytes");
        let payload = Payload { msg: &plain, aad: &aad };
        let sealed = self.cipher.encrypt(nonce_array, payload).expect("it is short enough");
        Base64UrlUnpadded::encode_string(&[nonce, sealed].concat())
    }

    /// The value, if it was sealed with this key, for this purpose, and nobody has changed it.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, text: &[u8]) -> Option<T> {
        let bytes = Base64UrlUnpadded::decode_vec(std::str::from_utf8(text).ok()?).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let payload = Payload { msg: sealed, aad: &self.aad(purpose) };
        serde_json::from_slice(&self.cipher.decrypt(nonce.try_into().ok()?, payload).ok()?).ok()
    }

    fn aad(&self, purpose: &str) -> Vec<u8> {
        [purpose, &self.issuer, &self.client].join(" ").into_bytes()
    }
}
