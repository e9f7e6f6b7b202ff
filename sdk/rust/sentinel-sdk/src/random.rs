//! Random bytes from the operating system, fit for keys and tokens. Needs the grant `random`. In native tests they are
//! merely different each time.

/// So many random bytes, 65,536 at most: more is a trap.
pub fn bytes(length: usize) -> Vec<u8> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lifecycle::sentinel::gateway::random::bytes(u32::try_from(length).unwrap_or(u32::MAX));
    #[cfg(not(target_arch = "wasm32"))]
    {
        let mut bytes: Vec<u8> =
            std::iter::repeat_with(number).take(length / 8 + 1).flat_map(u64::to_le_bytes).collect();
        bytes.truncate(length);
        bytes
    }
}

/// A random number of 64 bits.
pub fn number() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lifecycle::sentinel::gateway::random::number();
    #[cfg(not(target_arch = "wasm32"))]
    {
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }
}
