"""``sentinel inspect``: what a guest's artefact holds, without running it."""

from __future__ import annotations

import argparse
import json

from sentinel_host.hotload.signature import Statement, read_statement
from sentinel_host.sandbox import GuestEngine, LoadedGuest, defaults_of, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact, read_file
from sentinel_host.sandbox.grants import ALL
from sentinel_host.sandbox.text import one_line


def inspect(options: argparse.Namespace) -> int:
    """Print one block per file, or with ``--json`` one object.

    Raises `GuestLoadError` for the first that is no guest.
    """
    engine = GuestEngine()
    for file in options.file:
        data = read_file(file)
        guest = load_artefact(parse_artefact(data, file), file, engine, grants=ALL)
        statement = read_statement(data, file)
        print(json.dumps(_facts(guest, statement)) if options.json else _block(guest, statement))
    return 0


def _block(guest: LoadedGuest, statement: Statement | None) -> str:
    rows = {
        "file": guest.path,
        "kind": _kind(guest),
        "abi": guest.abi_version,
        "hooks": ", ".join(guest.hooks),
        "imports": ", ".join(guest.imports) or "none",
        "language": guest.language or "unknown",
        "sdk": guest.sdk or "unknown",
        "defaults": _defaults(guest.language),
        "size": f"{guest.size} bytes",
        "self-test": f"{len(guest.self_test)} cases" if guest.self_test else "none",
        "config": _in_one_line(guest.config_schema.text) if guest.config_schema is not None else "no schema",
        "sha256": guest.sha256,
        "signed": _signed(statement),
    }
    return "\n".join(f"{key:9} {value}" for key, value in rows.items())


def _defaults(language: str | None) -> str:
    told = defaults_of(language)
    return f"memory {told.memory >> 20} MiB, start_deadline {told.start_deadline * 1000:g} ms"


def _facts(guest: LoadedGuest, statement: Statement | None) -> dict[str, object]:
    return {
        "file": guest.path,
        "kind": _kind(guest),
        "abi": guest.abi_version,
        "hooks": list(guest.hooks),
        "imports": list(guest.imports),
        "language": guest.language,
        "sdk": guest.sdk,
        "size": guest.size,
        "self_test": len(guest.self_test),
        "config": json.loads(guest.config_schema.text) if guest.config_schema is not None else None,
        "sha256": guest.sha256,
        "signed": statement
        and {"name": statement.name, "version": statement.version, "key": statement.key_id, "verified": False},
    }


def _kind(guest: LoadedGuest) -> str:
    return "component" if guest.is_component else "core module"


def _in_one_line(schema: str) -> str:
    return json.dumps(json.loads(schema), separators=(",", ":"))


def _signed(statement: Statement | None) -> str:
    """What the signature states, unverified: only a gateway has the keys."""
    if statement is None:
        return "no"
    return f"as {one_line(statement.name)}, version {statement.version}, by key {statement.key_id} (not verified)"
