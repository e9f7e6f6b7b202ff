"""Copies of the SDKs that Node runs, each with what it depends on, made once for this user."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sentinel_host.authoring import stamps
from sentinel_host.authoring.cache import cache_folder, locked
from sentinel_host.authoring.processes import note, run
from sentinel_host.authoring.sdk import sdk_source, wit_source


def installed(language: str, tools: str, version: str) -> Path:
    """The SDK's copy: Node looks for dependencies beside the SDK, and nowhere else.

    ``tools`` says what is installed, ``version`` is Node's. Raises ToolchainError.
    """
    source, wit = sdk_source(language), wit_source()
    cache = cache_folder("sdk")
    manifests = [source / "package.json", source / "package-lock.json"]
    modules = cache / f"node-{stamps.tree_digest(manifests, salt=version)[:16]}"
    sdk = cache / f"{language}-{stamps.tree_digest([source, wit], salt=modules.name)[:16]}"
    if sdk.is_dir():
        return sdk
    with locked(cache / "lock"):
        if not modules.is_dir():
            _install_modules(manifests, modules, tools)
        if not sdk.is_dir():
            fresh = _empty(cache / f"{sdk.name}.new")
            shutil.copytree(source, fresh, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", "test"))
            shutil.copytree(wit, fresh / "wit", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.md"))
            (fresh / "node_modules").symlink_to(modules / "node_modules")
            os.rename(fresh, sdk)
    return sdk


def _install_modules(manifests: list[Path], modules: Path, tools: str) -> None:
    note(f"installing {tools}, once for this version of the SDK (a few seconds)")
    fresh = _empty(modules.with_suffix(".new"))
    for manifest in manifests:
        shutil.copy(manifest, fresh)
    # `npm ci` refuses the lock file: some of the dependencies name builds for other platforms that
    # do not exist. Without the tools that the SDK itself is checked with.
    # In AssemblyScript's manifest, `overrides` leave one binaryen of two: each is half of what is
    # installed.
    command = ("npm", "install", "--omit=dev", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts")
    run(command, f"installing {tools} with npm, which needs its registry", cwd=fresh)
    os.rename(fresh, modules)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
