//! Writes what wit-bindgen makes of the contract to `sentinel-sdk/src/bindings`, a file for each
//! world, or with `--check` says which file is not what it would write.
//!
//! The files are checked in, so that a guest is built without a WIT parser: that is most of what a
//! first build compiled.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Context, Result};
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::{Opts, Ownership, WithOption};

/// Module and export macro of each world. The first one has the imports, which the others use.
const WORLDS: [&str; 6] = ["lifecycle", "request", "response", "completion", "request_body", "response_body"];
const IMPORTS: [&str; 6] = ["log", "clock", "random", "metrics", "kv", "http-client"];
/// Hooks of heads, which the SDK exports itself: their arguments may lie where it lends the gateway
/// a place for them.
const OWN: [&str; 3] = ["on-request", "on-response", "on-complete"];

fn main() -> ExitCode {
    let check = std::env::args().nth(1).is_some_and(|argument| argument == "--check");
    match run(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<()> {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the folder has no parent")?;
    let folder = sdk.join("sentinel-sdk/src/bindings");
    for module in WORLDS {
        let path = folder.join(format!("{module}.rs"));
        let source = bindings(&sdk.join("../../wit"), module).with_context(|| format!("the bindings {module}"))?;
        if !check {
            fs::write(&path, source).with_context(|| path.display().to_string())?;
        } else if fs::read_to_string(&path).with_context(|| path.display().to_string())? != source {
            bail!("{} is stale: cargo run --manifest-path sdk/rust/generate-bindings/Cargo.toml", path.display());
        }
    }
    Ok(())
}

fn bindings(wit: &Path, module: &str) -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(&format!("{}-guest", module.replace('_', "-"))))?;
    let mut files = Files::default();
    options(module).build().generate(&mut resolve, world, &mut files)?;
    let (_, source) = files.iter().next().context("wit-bindgen wrote no file")?;
    Ok(String::from_utf8(source.to_vec())?)
}

fn options(module: &str) -> Opts {
    let mut options = Opts {
        format: true,
        pub_export_macro: true,
        export_macro_name: Some(format!("export_{module}")),
        default_bindings_module: Some(format!("::sentinel_sdk::__private::{module}")),
        skip: OWN.map(String::from).into(),
        ..Opts::default()
    };
    if module == WORLDS[0] {
        options.ownership = Ownership::Borrowing { duplicate_if_necessary: true };
    } else {
        options.with = IMPORTS.map(shared).into();
    }
    options
}

/// An import of a later world, as the first one has it.
fn shared(import: &str) -> (String, WithOption) {
    let path = format!("crate::bindings::{}::sentinel::gateway::{}", WORLDS[0], import.replace('-', "_"));
    (format!("sentinel:gateway/{import}@0.1.0"), WithOption::Path(path))
}
