"""A crate outside the repository builds against the packed Rust SDK, as it would against the
published one.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from guestbuild import cargo_command, rust_environment
from guestbuild.components import wasm_tools
from guestbuild.places import BUILD, REPOSITORY
from sentinel_host.sandbox import GuestEngine, load_artefact
from sentinel_host.sandbox.artefact import read_artefact
from sentinel_host.sandbox.grants import ALL

SDK = REPOSITORY / "sdk" / "rust"
TARGET = "wasm32-unknown-unknown"
# Kept between runs: the registry's crates need not be compiled again.
TARGET_DIRECTORY = BUILD / "cargo" / "external"

CONFIGURED = """\
use std::cell::Cell;

use sentinel_sdk::prelude::*;

#[derive(Deserialize)]
struct Config {
    every: u32,
}

struct Sampler {
    every: u32,
    seen: Cell<u32>,
}

#[guest]
impl Guest for Sampler {
    fn configure(config: Config) -> Result<Self, String> {
        if config.every == 0 {
            return Err("every: it cannot be 0".into());
        }
        Ok(Self { every: config.every, seen: Cell::new(0) })
    }

    fn on_complete(&self, summary: &Summary) {
        self.seen.set(self.seen.get() + 1);
        if self.seen.get() % self.every == 0 {
            info!("{} {} {}", summary.method, summary.path, summary.status);
        }
    }
}
"""

MISSPELLED = """\
use sentinel_sdk::prelude::*;

#[derive(Default)]
struct Misspelled;

#[guest]
impl Guest for Misspelled {
    fn on_requst(&self, _: &mut Request) -> Result<(), Response> {
        Ok(())
    }
}
"""


def run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=900
    )


@dataclass(frozen=True)
class Outside:
    """A place where crates see the SDK only as its packages."""

    root: Path
    packages: Path

    def crate(self, name: str, code: str) -> Path:
        crate = self.root / name
        (crate / "src").mkdir(parents=True)
        (crate / "src" / "lib.rs").write_text(code)
        (crate / "Cargo.toml").write_text(
            f"""\
[package]
name = "{name}"
version = "0.0.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]

[dependencies]
sentinel-sdk = "0.1"
serde = {{ version = "1", features = ["derive"] }}

[patch.crates-io]
sentinel-sdk = {{ path = "{self.packages}/sentinel-sdk-0.1.0" }}
sentinel-sdk-macros = {{ path = "{self.packages}/sentinel-sdk-macros-0.1.0" }}

[profile.release]
panic = "abort"
"""
        )
        return crate

    def cargo(self, crate: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"CARGO_TARGET_DIR": str(TARGET_DIRECTORY), **rust_environment()}
        return run([*cargo_command(), *arguments], crate, **environment)

    def build(self, name: str, code: str) -> subprocess.CompletedProcess[str]:
        return self.cargo(self.crate(name, code), "build", "--quiet", "--release", "--target", TARGET)

    def module(self, name: str, code: str) -> Path:
        built = self.build(name, code)
        assert built.returncode == 0, built.stderr
        return TARGET_DIRECTORY / TARGET / "release" / f"{name}.wasm"

    def component(self, name: str, code: str) -> Path:
        module = self.module(name, code)
        component = self.root / f"{name}.wasm"
        made = run([str(wasm_tools()), "component", "new", str(module), "-o", str(component)], self.root)
        assert made.returncode == 0, made.stderr
        return component


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    root = tmp_path_factory.mktemp("outside")
    command = [*cargo_command(), "package", "--workspace", "--no-verify", "--allow-dirty", "--quiet"]
    packed = run(command, SDK, CARGO_TARGET_DIR=str(root / "target"), **rust_environment())
    assert packed.returncode == 0, packed.stderr
    packages = root / "packages"
    for archive in sorted((root / "target" / "package").glob("*.crate")):
        with tarfile.open(archive) as content:
            content.extractall(packages, filter="data")
    assert {path.name for path in packages.iterdir()} == {"sentinel-sdk-0.1.0", "sentinel-sdk-macros-0.1.0"}
    return Outside(root, packages)


def exported_interfaces(component: Path) -> set[str]:
    validated = run([str(wasm_tools()), "validate", str(component)], component.parent)
    assert validated.returncode == 0, validated.stderr
    wit = run([str(wasm_tools()), "component", "wit", str(component)], component.parent)
    assert wit.returncode == 0, wit.stderr
    return set(re.findall(r"^  export (.*);$", wit.stdout, re.MULTILINE))


def readme_guest() -> str:
    code = re.search(r"^```rust\n(.*?)^```", (SDK / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert code is not None
    return code[1]


def test_the_readme_guest_is_a_component_with_its_one_hook(outside: Outside) -> None:
    component = outside.component("readme_guest", readme_guest())
    assert exported_interfaces(component) == {"sentinel:gateway/request-handler@0.1.0"}


def test_the_gateway_takes_the_module_that_cargo_writes(outside: Outside) -> None:
    module = outside.module("every_nth", CONFIGURED)
    guest = load_artefact(read_artefact(module), module, GuestEngine(), grants=ALL)
    assert not guest.is_component
    assert set(guest.hooks) == {"configure", "on-complete"}


def test_a_misspelled_hook_is_an_error_that_lists_the_hooks(outside: Outside) -> None:
    built = outside.build("misspelled", MISSPELLED)
    assert built.returncode != 0
    assert "`on_requst` is no hook; the hooks are `configure`, `on_request`, `on_response`" in built.stderr
    assert "src/lib.rs:8" in built.stderr


def test_the_packages_hold_the_contract(outside: Outside) -> None:
    """In the repository the crate's ``wit`` is a link to the top-level folder, which a package must
    follow.
    """
    packed = outside.packages / "sentinel-sdk-0.1.0" / "wit"
    contract = {path.name: path.read_bytes() for path in (REPOSITORY / "wit").glob("*.wit")}
    assert {path.name: path.read_bytes() for path in packed.iterdir()} == contract
