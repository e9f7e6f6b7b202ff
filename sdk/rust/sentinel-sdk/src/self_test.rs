//! The self-test's way into the guest's file.

/// Put a file of cases into the guest: the gateway runs them whenever it loads the guest, with the
/// configuration that the guest is to serve with, and takes no guest into service that fails one.
/// The path is relative to the package's folder.
///
/// ```text
/// self_test!("self-test.json");
/// ```
///
/// The file is JSON, an array of cases, as `wit/ABI.md` of the gateway's repository tells in
/// section 7. `sentinel check` runs them too, `sentinel inspect` says how many there are. A crate
/// has one self-test.
#[macro_export]
macro_rules! self_test {
    ($path:literal) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const CASES: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path));
            // A static in a section of its own is what the compiler makes a custom section of.
            #[allow(unsafe_code)]
            #[used]
            #[unsafe(link_section = "sentinel:self-test")]
            static SECTION: [u8; CASES.len()] = *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path));
        };
    };
}
