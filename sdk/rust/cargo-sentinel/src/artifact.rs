//! What cargo says about a library that it built.

use std::path::PathBuf;

use serde::Deserialize;

/// A core module that cargo built, and the package it is of.
#[derive(Debug, PartialEq, Eq)]
pub struct Guest {
    pub package: String,
    pub module: PathBuf,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: String,
    target: Target,
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

/// The guest, if this line of cargo's JSON tells of one.
pub fn guest_of(line: &str) -> Option<Guest> {
    let message: Message = serde_json::from_str(line).ok()?;
    if message.reason != "compiler-artifact" || !message.target.crate_types.iter().any(|kind| kind == "cdylib") {
        return None;
    }
    let module = message.filenames.into_iter().find(|path| path.extension().is_some_and(|end| end == "wasm"))?;
    Some(Guest { package: package_name(&message.package_id)?.into(), module })
}

/// From a package id specification: `path+file:///at/name#0.1.0` or `path+file:///at#name@0.1.0`.
fn package_name(id: &str) -> Option<&str> {
    let (place, rest) = id.rsplit_once('#')?;
    match rest.split_once('@') {
        Some((name, _)) => Some(name),
        None => place.rsplit('/').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, crate_type: &str, file: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"{id}","manifest_path":"/m","target":{{"kind":["{crate_type}"],
            "crate_types":["{crate_type}"],"name":"my_guest"}},"filenames":["{file}"],"fresh":true}}"#
        )
    }

    #[test]
    fn a_cdylib_is_a_guest_under_its_package_name() {
        let module = "/t/wasm32-unknown-unknown/release/my_guest.wasm";
        let guest = Some(Guest { package: "my-guest".into(), module: module.into() });
        assert_eq!(guest_of(&line("path+file:///w#my-guest@0.1.0", "cdylib", module)), guest);
        assert_eq!(guest_of(&line("path+file:///w/my-guest#0.1.0", "cdylib", module)), guest);
    }

    #[test]
    fn other_messages_are_passed_over() {
        for line in [
            line("path+file:///w#a@0.1.0", "rlib", "/t/liba.rlib"),
            line("path+file:///w#a@0.1.0", "proc-macro", "/t/liba.so"),
            r#"{"reason":"build-finished","success":true}"#.into(),
            "warning: not JSON".into(),
        ] {
            assert_eq!(guest_of(&line), None);
        }
    }
}
