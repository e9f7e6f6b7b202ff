"""What is said and remembered on machines that lack a tool: PATH holds only what a test puts
there.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sentinel_host.authoring import debian, node, rust_toolchain
from sentinel_host.errors import ToolchainError


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder on PATH; the cache is a fresh one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def write_tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_packages_that_cannot_be_installed_are_asked_for(tools: Path) -> None:
    with pytest.raises(ToolchainError) as failure:
        debian.provide("nginx", "wrk", commands=("nginx", "wrk"))
    assert str(failure.value) == (
        "nginx, wrk are missing; as root: apt-get install -y --no-install-recommends nginx wrk"
    )


def test_a_command_on_path_needs_no_package(tools: Path) -> None:
    write_tool(tools, "curl", "exit 0")
    debian.provide("curl", commands=("curl",))


def test_only_the_missing_command_is_named(tools: Path) -> None:
    write_tool(tools, "nginx", "exit 0")
    with pytest.raises(ToolchainError, match=r"^wrk is missing; as root: "):
        debian.provide("nginx", "wrk", commands=("nginx", "wrk"))


def test_no_rust_at_all_says_both_ways_out(tools: Path) -> None:
    with pytest.raises(ToolchainError) as failure:
        rust_toolchain.search()
    assert "rustup target add wasm32-unknown-unknown" in str(failure.value)
    assert "apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src lld-19" in str(failure.value)


def test_rustup_that_cannot_download_is_asked_once_a_day(tools: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    write_tool(tools, "rustup", f'echo "$@" >> {calls}; echo could not download; exit 1')
    failure = tmp_path / "cache" / "sentinel" / "rustup-target-failed"

    for _ in range(2):
        with pytest.raises(ToolchainError, match="no Rust toolchain"):
            rust_toolchain.search()
    assert calls.read_text() == "target add wasm32-unknown-unknown\n"
    assert "could not download" in failure.read_text()

    two_days_ago = failure.stat().st_mtime - 2 * 24 * 3600
    os.utime(failure, (two_days_ago, two_days_ago))
    with pytest.raises(ToolchainError, match="no Rust toolchain"):
        rust_toolchain.search()
    assert calls.read_text() == "target add wasm32-unknown-unknown\n" * 2


def test_rustup_adds_the_target(tools: Path, tmp_path: Path) -> None:
    """The toolchain counts as found only when its sysroot really has the target's standard
    library.
    """
    sysroot = tmp_path / "sysroot"
    library = sysroot / "lib" / "rustlib" / "wasm32-unknown-unknown" / "lib"
    write_tool(tools, "cargo", "echo cargo 1.99.0")
    write_tool(tools, "rustc", f'case "$1" in --print) echo {sysroot};; *) echo rustc 1.99.0;; esac')
    write_tool(tools, "rustup", f"/bin/mkdir -p {library} && : > {library}/libstd-0123.rlib")
    assert rust_toolchain.search() == rust_toolchain.RustToolchain(("cargo",), (), "rustc 1.99.0")
    write_tool(tools, "rustup", "exit 1")
    assert rust_toolchain.search().cargo == ("cargo",)


@pytest.mark.parametrize(
    ("version", "too_old"),
    [("v18.19.1", True), ("v20.0.0", False), ("v26.1.0", False), ("v9.0.0", True), ("nonsense", True)],
)
def test_node_versions(version: str, too_old: bool) -> None:
    assert node.is_too_old(version) is too_old


def test_an_old_or_absent_node_is_named(tools: Path) -> None:
    with pytest.raises(ToolchainError, match=r"^node is not installed; install Node\.js 20 or newer"):
        node.check()
    write_tool(tools, "node", "echo v18.19.1")
    with pytest.raises(ToolchainError, match=r"^npm is not installed; install Node\.js 20 or newer"):
        node.check()
    write_tool(tools, "npm", "echo 10.0.0")
    with pytest.raises(ToolchainError, match=r"^node is v18\.19\.1; install Node\.js 20 or newer"):
        node.check()
