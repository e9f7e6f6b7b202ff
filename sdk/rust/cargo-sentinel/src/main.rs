//! `cargo sentinel build`: `cargo build` for WebAssembly, then a component of each guest.

mod artifact;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use wit_component::ComponentEncoder;

use crate::artifact::{guest_of, Guest};

const USAGE: &str = "\
usage: cargo sentinel build [options of cargo build]

Compiles for wasm32-unknown-unknown in release mode and writes each cdylib of the workspace as a component to
target/wasm32-unknown-unknown/release/guests/PACKAGE.wasm.";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).peekable();
    // cargo passes the name of the subcommand on.
    arguments.next_if(|argument| argument == "sentinel");
    if arguments.next().is_none_or(|command| command != "build") {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match build(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build(options: impl Iterator<Item = OsString>) -> Result<(), String> {
    let guests = compile(options)?;
    if guests.is_empty() {
        return Err("no guest was built: a guest's Cargo.toml has crate-type = [\"cdylib\"] under [lib]".into());
    }
    for guest in guests {
        let (component, size) = componentize(&guest).map_err(|error| format!("{}: {error}", guest.package))?;
        println!("{} ({size} bytes)", component.display());
    }
    Ok(())
}

fn compile(options: impl Iterator<Item = OsString>) -> Result<Vec<Guest>, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["build", "--release", "--target", "wasm32-unknown-unknown", "--message-format=json-render-diagnostics"])
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let messages = cargo.stdout.take().expect("a pipe");
    let mut guests = Vec::new();
    for message in BufReader::new(messages).lines() {
        guests.extend(guest_of(&message.map_err(|error| format!("cargo's output: {error}"))?));
    }
    let status = cargo.wait().map_err(|error| format!("cargo: {error}"))?;
    if status.success() {
        Ok(guests)
    } else {
        Err("cargo build failed".into())
    }
}

fn componentize(guest: &Guest) -> Result<(PathBuf, usize), String> {
    let module = fs::read(&guest.module).map_err(|error| format!("{}: {error}", guest.module.display()))?;
    let encode = || ComponentEncoder::default().module(&module)?.validate(true).encode();
    let component = encode().map_err(|error| format!("{error:#}"))?;
    let folder = guest.module.with_file_name("guests");
    let path = folder.join(format!("{}.wasm", guest.package));
    // Renamed into place: the gateway may be watching.
    let fresh = path.with_extension("new");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&fresh, &component))
        .and_then(|()| fs::rename(&fresh, &path))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((path, component.len()))
}
