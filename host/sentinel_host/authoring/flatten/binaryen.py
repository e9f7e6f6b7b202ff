"""Binaryen's wasm-merge and wasm-opt, from npm: installed once for this user, in one version."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sentinel_host.authoring import node
from sentinel_host.authoring.cache import cache_folder, locked
from sentinel_host.authoring.processes import note, run

VERSION: Final = "132.0.0"

_INTEGRITY: Final = "sha512-4Usg7yEvwO3FMso3Oov6qkOOHSod1IEv+boKkh77kTljM+eNBouqCTbqWswGzbG+vDNO/b/v2C4gfEh1WgB9Lg=="
_MANIFEST: Final = {"name": "sentinel-binaryen", "private": True, "dependencies": {"binaryen": VERSION}}
_LOCK: Final = {
    "name": "sentinel-binaryen",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {"name": "sentinel-binaryen", "dependencies": {"binaryen": VERSION}},
        "node_modules/binaryen": {"version": VERSION, "integrity": _INTEGRITY},
    },
}


def find() -> Path:
    """The folder of binaryen's commands. Raises ToolchainError if Node or npm's registry is
    missing.
    """
    cache = cache_folder("tools")
    folder = cache / f"binaryen-{VERSION}"
    commands = folder / "node_modules" / "binaryen" / "bin"
    if commands.is_dir():
        return commands
    node.check()
    with locked(cache / "lock"):
        if not commands.is_dir():
            note(f"installing binaryen {VERSION}, once for this user (some 100 MB)")
            fresh = folder.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            (fresh / "package.json").write_text(json.dumps(_MANIFEST))
            (fresh / "package-lock.json").write_text(json.dumps(_LOCK))
            command = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
            run(command, "installing binaryen with npm, which needs its registry", cwd=fresh)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(fresh, folder)
    return commands


# What the engine has off. Merging needs some of it in between: modules of a component import
# globals as offsets, which only the rules of the garbage collection proposal allow, and wasm-opt
# makes numbers of them.
_OFF: Final = (
    "compact-imports",
    "gc",
    "exception-handling",
    "tail-call",
    "memory64",
    "multimemory",
    "threads",
    "relaxed-simd",
    "custom-descriptors",
)


def merge(modules: Sequence[tuple[Path, str]], out: Path, *, names: bool = False) -> None:
    """Make one module of several, each with the name that the others import it by; with ``names``
    those of its functions stay. Raises ToolchainError.
    """
    named = [part for file, name in modules for part in (str(file), name)]
    options = ("--rename-export-conflicts", "--all-features", "--disable-compact-imports")
    # `node` explicitly: what npm installs need not be executable.
    run(("node", str(find() / "wasm-merge"), *named, "-o", str(out), *options, *_NAMES[names]), "wasm-merge")


_NAMES: Final = {False: (), True: ("--debuginfo",)}


def clean(module: Path, out: Path, *, names: bool = False) -> None:
    """Remove what nothing refers to, and what the engine does not take; with ``names`` those of
    functions stay. Raises ToolchainError.
    """
    options = ("--all-features", *(f"--disable-{feature}" for feature in _OFF))
    passes = (
        "--duplicate-import-elimination",
        "--remove-unused-module-elements",
        "--simplify-globals",
        "--remove-unused-module-elements",
    )
    command = ("node", str(find() / "wasm-opt"), str(module), "-o", str(out))
    run((*command, *options, *passes, "--no-validation", *_NAMES[names]), "wasm-opt")
