//! Random bytes from the operating system, fit for keys and tokens. Needs the grant `random`. In
//! native tests they have a stand-in; see `testing`.

/// So many random bytes, 65,536 at most: more is a trap.
pub fn bytes(length: usize) -> Vec<u8> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lifecycle::sentinel::gateway::random::bytes(u32::try_from(length).unwrap_or(u32::MAX));
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::random_bytes(length)
}

/// A random number of 64 bits.
pub fn number() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lifecycle::sentinel::gateway::random::number();
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::stand_ins::random_number()
}
