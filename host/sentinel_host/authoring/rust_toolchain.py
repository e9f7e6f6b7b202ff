"""A Rust toolchain that compiles for wasm32-unknown-unknown.

Tried in this order; the first that works is used:

1. the rustc on PATH already has the target,
2. rustup adds it,
3. Debian's packages, which lack the target's standard library: it is built from their source once
   and cached,
4. a ToolchainError that says what to install.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sentinel_host.authoring import debian
from sentinel_host.authoring.cache import cache_directory, locked
from sentinel_host.authoring.processes import capture, note, run
from sentinel_host.errors import ToolchainError

TARGET = "wasm32-unknown-unknown"

# A download of 25 MB; behind a mirror that lacks it, rustup retries for minutes.
_RUSTUP_SECONDS = 60.0
_RUSTUP_RETRY_SECONDS = 24 * 3600.0

_DEBIAN_PACKAGES = ("rustc-web", "cargo-web", "rust-web-src", "lld-19")
# By their paths: a rustup shim may come first on PATH.
_DEBIAN_RUSTC = Path("/usr/bin/rustc")
_DEBIAN_CARGO = Path("/usr/bin/cargo")
_DEBIAN_LINKER = Path("/usr/bin/wasm-ld-19")
_DEBIAN_LINT_PACKAGES = ("rustfmt-web", "rust-web-clippy")


@dataclass(frozen=True)
class RustToolchain:
    """A cargo command, the environment that it needs, and the compiler's full version
    (``rustc -vV``).
    """

    cargo: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    version: str


def cargo_command() -> list[str]:
    """The cargo with which to build guests and SDKs; run it with ``rust_environment()``.

    Raises ToolchainError.
    """
    return list(find().cargo)


def rust_environment() -> dict[str, str]:
    """The variables to add to the environment of ``cargo_command()``, for a crate anywhere on this
    machine.

    Raises ToolchainError.
    """
    return dict(find().environment)


def for_linting() -> tuple[list[str], dict[str, str]]:
    """A cargo with ``fmt`` and ``clippy`` for native code, and its environment.

    Raises ToolchainError.
    """
    if not all(_answers("cargo", tool, "--version") for tool in ("fmt", "clippy")):
        if not debian.is_installed("cargo-web") and not debian.can_install():
            raise ToolchainError(
                "cargo fmt and cargo clippy are missing; install Rust from https://rustup.rs, or as root: "
                + debian.install_command("rustc-web", "cargo-web", *_DEBIAN_LINT_PACKAGES)
            )
        debian.provide("rustc-web", "cargo-web", *_DEBIAN_LINT_PACKAGES)
        return [str(_DEBIAN_CARGO)], {"RUSTC": str(_DEBIAN_RUSTC)}
    return ["cargo"], {}


@functools.cache
def find() -> RustToolchain:
    """The toolchain, searched for once a process.

    Raises ToolchainError.
    """
    return search()


def search(*, install_packages: bool = True) -> RustToolchain:
    """The first toolchain that works; rustup's target is added, and Debian's packages are installed
    if they may be.

    Raises ToolchainError.
    """
    return _on_path() or _with_rustup() or _from_debian(install_packages)


def _on_path() -> RustToolchain | None:
    if not (_answers("cargo", "--version") and _answers("rustc", "--version")):
        return None
    sysroot = Path(capture(("rustc", "--print", "sysroot")))
    if not has_standard_library(sysroot):
        return None
    return RustToolchain(("cargo",), (), capture(("rustc", "-vV")))


def has_standard_library(sysroot: Path) -> bool:
    return any((sysroot / "lib" / "rustlib" / TARGET / "lib").glob("libstd-*.rlib"))


def _with_rustup() -> RustToolchain | None:
    if shutil.which("rustup") is None:
        return None
    failure = cache_directory() / "rustup-target-failed"
    if tried_recently(failure, time.time()):
        return None
    note(f"rustup target add {TARGET}")
    try:
        run(("rustup", "target", "add", TARGET), f"rustup target add {TARGET}", timeout=_RUSTUP_SECONDS)
    except ToolchainError as error:
        failure.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        failure.write_text(f"{error}\n")
        return None
    return _on_path()


def tried_recently(failure: Path, now: float) -> bool:
    """Whether the failure that ``failure`` records is less than a day old, by its modification
    time.
    """
    return failure.is_file() and now - failure.stat().st_mtime < _RUSTUP_RETRY_SECONDS


def _from_debian(install_packages: bool) -> RustToolchain:
    may_install = install_packages and debian.can_install()
    if not may_install and not all(map(debian.is_installed, _DEBIAN_PACKAGES)):
        raise ToolchainError(
            f"no Rust toolchain for {TARGET}: either install Rust from https://rustup.rs and run "
            f"`rustup target add {TARGET}`, or on Debian, as root: {debian.install_command(*_DEBIAN_PACKAGES)}"
        )
    debian.provide(*_DEBIAN_PACKAGES)
    version = capture((str(_DEBIAN_RUSTC), "-vV"))
    sysroot = _cached_sysroot(version)
    variable = f"CARGO_TARGET_{TARGET.upper().replace('-', '_')}"
    environment = {
        "RUSTC": str(_DEBIAN_RUSTC),
        "RUSTDOC": str(_DEBIAN_RUSTC.with_name("rustdoc")),
        f"{variable}_LINKER": str(_DEBIAN_LINKER),
        f"{variable}_RUSTFLAGS": f"--sysroot {sysroot}",
    }
    return RustToolchain((str(_DEBIAN_CARGO),), tuple(environment.items()), version)


def _cached_sysroot(version: str) -> Path:
    """The private sysroot with the target's standard library for this compiler, built if it is not
    there yet.
    """
    cache = cache_directory()
    if " " in str(cache):
        raise ToolchainError(
            f"cargo splits its flags at spaces, and {cache} has one: set XDG_CACHE_HOME to another folder"
        )
    sysroot = cache / f"rust-std-{hashlib.sha256(version.encode()).hexdigest()[:16]}"
    with locked(cache / "rust-std.lock"):
        if not has_standard_library(sysroot):
            note(f"building Rust's standard library for {TARGET}, once for this compiler (about a minute)")
            _build_standard_library(sysroot)
    # By one path, however it is reached: with another flag cargo compiles everything anew.
    return sysroot.resolve()


_MANIFEST = """\
[package]
name = "seed"
version = "0.0.0"
edition = "2021"

[lib]
path = "seed.rs"

[profile.release]
opt-level = "s"
panic = "abort"

[workspace]
"""


def _build_standard_library(sysroot: Path) -> None:
    source = Path(capture((str(_DEBIAN_RUSTC), "--print", "sysroot"))) / "lib" / "rustlib" / "src" / "rust" / "library"
    with tempfile.TemporaryDirectory(dir=sysroot.parent, prefix="rust-std-") as scratch:
        crate = Path(scratch, "crate")
        (crate / ".cargo").mkdir(parents=True)
        (crate / "Cargo.toml").write_text(_MANIFEST)
        (crate / "seed.rs").write_text("")
        # The standard library's own dependencies come with its source. This replacement must not
        # reach real guests: it would make their dependencies unresolvable.
        (crate / ".cargo" / "config.toml").write_text(
            '[source.crates-io]\nreplace-with = "vendor"\n\n'
            f'[source.vendor]\ndirectory = "{source.resolve() / "vendor"}"\n'
        )
        run(
            (str(_DEBIAN_CARGO), "build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET),
            "building Rust's standard library",
            cwd=crate,
            # Without embedded bitcode a guest could not use link-time optimisation across the
            # standard library.
            environment={
                "RUSTC_BOOTSTRAP": "1",
                "RUSTC": str(_DEBIAN_RUSTC),
                f"CARGO_TARGET_{TARGET.upper().replace('-', '_')}_RUSTFLAGS": "-Cembed-bitcode=yes",
            },
            log=sysroot.parent / "rust-std.log",
        )
        library = Path(scratch, "sysroot", "lib", "rustlib", TARGET, "lib")
        library.mkdir(parents=True)
        for archive in (crate / "target" / TARGET / "release" / "deps").glob("*.rlib"):
            if not archive.name.startswith("libseed-"):
                shutil.copy(archive, library)
        shutil.rmtree(sysroot, ignore_errors=True)
        os.rename(Path(scratch, "sysroot"), sysroot)


def _answers(*command: str) -> bool:
    """Whether the command runs: a rustup shim on PATH may stand for a component that is not
    installed.
    """
    try:
        capture(command)
    except ToolchainError:
        return False
    return True
