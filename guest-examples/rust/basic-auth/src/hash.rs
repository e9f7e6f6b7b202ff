//! A stored hash, and whether a password has it.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::PasswordVerifier;
use argon2::{Argon2, Params};
use base64ct::{Base64Bcrypt, Encoding};
use sentinel_sdk::equals_secret;

/// With more a password takes minutes.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;

pub enum Hash {
    Bcrypt { cost: u32, salt: [u8; 16], digest: [u8; 23] },
    Argon2(String),
}

impl Hash {
    /// A hash in modular crypt format or as a PHC string.
    ///
    /// No error holds it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("$argon2") {
            return argon2(text);
        }
        bcrypt(text).ok_or_else(|| "it is no hash of bcrypt or argon2".into())
    }

    /// Whether it is the password's. The time that takes tells what kind of hash this is, and no
    /// more.
    pub fn is_of(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt { cost, salt, digest } => {
                // What counts is at most 72 bytes, the NUL at the end among them.
                let mut key = [password, &[0]].concat();
                key.truncate(72);
                equals_secret(&bcrypt::bcrypt(*cost, *salt, &key)[..23], digest)
            }
            Self::Argon2(text) => Argon2::default().verify_password(password, text.as_str()).is_ok(),
        }
    }
}

/// `$2b$COST$`, 22 characters of salt and 31 of the digest.
fn bcrypt(text: &str) -> Option<Hash> {
    let (version, rest) = text.split_at_checked(4)?;
    let (cost, rest) = rest.split_once('$')?;
    let (salt, digest) = rest.split_at_checked(22)?;
    let cost = cost.parse().ok().filter(|cost| BCRYPT_COSTS.contains(cost) && rest.len() == 53)?;
    let salt = Base64Bcrypt::decode_vec(salt).ok()?.try_into().ok()?;
    let digest = Base64Bcrypt::decode_vec(digest).ok()?.try_into().ok()?;
    matches!(version, "$2a$" | "$2b$" | "$2y$").then_some(Hash::Bcrypt { cost, salt, digest })
}

fn argon2(text: &str) -> Result<Hash, String> {
    let parsed = PasswordHash::new(text).ok().filter(|hash| hash.hash.is_some());
    let params = parsed.and_then(|hash| Params::try_from(&hash).ok());
    let params = params.ok_or("it is no hash of argon2")?;
    // Tried out now rather than with the first password.
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(params.m_cost() as usize * 1024).map_err(|_| {
        format!("its hash needs {} KiB of memory, more than the guest's `memory` has left", params.m_cost())
    })?;
    std::hint::black_box(memory);
    Ok(Hash::Argon2(text.into()))
}
