"""Guests in Rust: cargo builds them, with the SDK's crate inside the installed package."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sentinel_host.authoring import rust_toolchain
from sentinel_host.authoring.building import failure
from sentinel_host.authoring.language import Build, UnitTests
from sentinel_host.authoring.processes import attempt
from sentinel_host.authoring.sdk import LINKS, link, sdk_source
from sentinel_host.errors import ToolchainError

_MANIFEST: Final = """\
[package]
name = "{name}"
version = "0.1.0"
edition = "2021"
publish = false

[lib]
crate-type = ["cdylib"]

[dependencies]
sentinel-sdk = {{ path = "{links}/rust/sentinel-sdk" }}
serde = {{ version = "1", features = ["derive"] }}

[profile.release]
lto = true
codegen-units = 1
panic = "abort"
strip = "debuginfo"

[workspace]
exclude = ["{links}"]
"""

_GUEST: Final = """\
use sentinel_sdk::prelude::*;

#[derive(Default)]
struct {type};

#[guest]
impl Guest for {type} {{
    fn on_request(&self, request: &mut Request) -> Result<(), Response> {{
        if request.header("user-agent").is_none() {{
            info!("{{}} does not say what it is", request.client());
            return Err(Response::new(400).body("a user-agent is needed\\n"));
        }}
        request.set_header("x-guest", "{name}");
        Ok(())
    }}
}}

self_test!("self-test.json");

#[cfg(test)]
mod tests;
"""

_TESTS: Final = """\
use sentinel_sdk::testing::Harness;

use super::{type};

#[test]
fn a_request_with_a_user_agent_is_marked() {{
    let mut harness = Harness::new({type});
    let action = harness.on_request("GET", "/", &[("user-agent", "test")]);
    assert!(action.response.is_none());
    assert_eq!(action.header("x-guest"), Some(&b"{name}"[..]));
}}

#[test]
fn a_request_without_one_is_refused() {{
    let mut harness = Harness::new({type});
    let action = harness.on_request("GET", "/", &[]);
    assert_eq!(action.response.unwrap().status(), 400);
    assert_eq!(harness.logs().len(), 1);
}}
"""

# Unit tests take the release profile, in whose folder is what a build compiled for this machine:
# the procedural macros and all that they need, which is most of a first build. The code under test
# is as the test profile has it. `lto` stays as it is: for another one, what the macros need would
# be compiled anew.
_TEST_PROFILE: Final = (
    "opt-level=0",
    "debug-assertions=true",
    "overflow-checks=true",
    "build-override.debug-assertions=false",
    "build-override.overflow-checks=false",
)

# What cargo says where something would have to be downloaded.
_OFFLINE: Final = re.compile(r"--offline|no matching package|failed to download|unable to update", re.IGNORECASE)


class Rust:
    """See `sentinel_host.authoring.language.Language`."""

    name: Final = "rust"
    sources: Final = ("Cargo.toml", "Cargo.lock", "src", "self-test.json")

    def name_of(self, folder: Path) -> str | None:
        """The package's name."""
        manifest = folder / "Cargo.toml"
        if not manifest.is_file():
            return None
        try:
            name = tomllib.loads(manifest.read_text())["package"]["name"]
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise ToolchainError(f"{manifest}: is no package's manifest: {error}") from None
        return str(name)

    def create(self, name: str) -> dict[str, str]:
        """Manifest, guest and unit tests. The dependencies' versions are those that the SDK was
        tested with.
        """
        words = {"name": name, "type": "".join(map(str.title, name.split("-"))), "links": LINKS}
        return {
            "Cargo.toml": _MANIFEST.format(**words),
            "Cargo.lock": (sdk_source("rust") / "Cargo.lock").read_text(),
            "src/lib.rs": _GUEST.format(**words),
            "src/tests.rs": _TESTS.format(**words),
        }

    def build(self, build: Build) -> None:
        """cargo's module is a guest as it is."""
        target = _target_directory(build.folder)
        arguments = ["rustc", "--lib", "--release", "--target", rust_toolchain.TARGET, "--quiet"]
        # By flags for this crate alone: a profile of its own would compile every dependency anew.
        flags = ["--", "-Cdebuginfo=line-tables-only", "-Cstrip=none"] if build.debug else []
        code, output = _cargo(build.folder, arguments, flags)
        if code != 0:
            raise failure(build.name, output)
        module = target / rust_toolchain.TARGET / "release" / f"{build.name.replace('-', '_')}.wasm"
        if not module.is_file():
            raise ToolchainError(f'{build.folder / "Cargo.toml"}: [lib] needs crate-type = ["cdylib"] to be a guest')
        build.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = build.file.with_suffix(f".{os.getpid()}.new")
        shutil.copyfile(module, fresh)
        os.replace(fresh, build.file)

    def test(self, folder: Path) -> UnitTests | None:
        """cargo test, natively."""
        settings = [word for setting in _TEST_PROFILE for word in ("--config", f"profile.release.{setting}")]
        code, output = _cargo(folder, ["test", "--quiet", "--release", *settings])
        return UnitTests(code == 0, output)


def _target_directory(folder: Path) -> Path:
    chosen = os.environ.get("CARGO_TARGET_DIR")
    return Path(chosen) if chosen else folder / "target"


def _cargo(folder: Path, arguments: Sequence[str], flags: Sequence[str] = ()) -> tuple[int, str]:
    """Run cargo without the network, and with it if something has to be downloaded: its exit code
    and output.
    """
    toolchain = rust_toolchain.search(install_packages=False)
    link(folder / LINKS / "rust", sdk_source("rust"))
    command = (*toolchain.cargo, *arguments)
    environment = dict(toolchain.environment) | {"CARGO_TARGET_DIR": str(_target_directory(folder))}
    code, output = attempt((*command, "--offline", *flags), cwd=folder, environment=environment)
    if code != 0 and _OFFLINE.search(output):
        code, output = attempt((*command, *flags), cwd=folder, environment=environment)
    return code, output
