"""``sentinel inspect``: what a guest's artefact holds, without running it."""

from __future__ import annotations

import argparse

from sentinel_host.sandbox import GuestEngine, LoadedGuest, load_guest


def inspect(options: argparse.Namespace) -> int:
    """Print one block per file.

    Raises `GuestLoadError` for the first that is no guest.
    """
    engine = GuestEngine()
    for file in options.file:
        print(_describe(load_guest(file, file, engine)))
    return 0


def _describe(guest: LoadedGuest) -> str:
    rows = {
        "file": guest.path,
        "kind": "component" if guest.is_component else "core module",
        "abi": guest.abi_version,
        "hooks": ", ".join(guest.hooks),
        "imports": ", ".join(guest.imports) or "none",
        "language": guest.language or "unknown",
        "sdk": guest.sdk or "unknown",
        "size": f"{guest.size} bytes",
        "sha256": guest.sha256,
    }
    return "\n".join(f"{key:9} {value}" for key, value in rows.items())
