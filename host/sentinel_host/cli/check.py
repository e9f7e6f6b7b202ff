"""``sentinel check``: all checks that are possible before serving."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

from sentinel_host.authoring.paint import Paint
from sentinel_host.config import Config
from sentinel_host.gateway.build import Builder
from sentinel_host.hotload.folder_source import FolderSource
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.supervisor.activation import activated_sockets
from sentinel_host.supervisor.listeners import Listeners
from sentinel_host.supervisor.prepared import prepare
from sentinel_host.supervisor.source import read_source


def check(options: argparse.Namespace) -> int:
    """Begin as `sentinel run` does, up to where it would listen; one line per guest, or with
    ``--json`` one object.

    An address that is in use is no error: a running gateway may use it with this configuration.
    Returns 1 if a guest cannot be taken into service. Raises `ConfigError`.
    """
    source = read_source(options.config, None, None)
    listeners = Listeners(activated_sockets({}), may_be_used=True)
    config, builder = prepare(source, listeners, os.environ, make_token=False).config, Builder()
    listeners.close()
    versions, faults = asyncio.run(_try(config, builder))
    lines = builder.engine.log.drain()[0]
    if options.json:
        guests = {
            name: {"error": faults.get(name), "standard": name in versions and versions[name].is_standard}
            for name in config.named_guests()
        }
        logs = [{"guest": line.guest, "level": line.level, "message": line.message} for line in lines]
        print(json.dumps({"file": config.file, "ok": not faults, "guests": guests, "logs": logs}))
        return 1 if faults else 0
    paint = Paint.of()
    for line in lines:
        print(f"{line.guest}: {line.level}: {line.message}")
    for name in config.named_guests():
        if name in faults:
            print(f"sentinel: guest {name}: {faults[name]}", file=sys.stderr)
        else:
            print(f"{name}: {paint('green', 'ok')}{_origin(versions[name], config)}")
    if not faults:
        print(f"{config.file}: {paint('green', 'ok')}")
    return 1 if faults else 0


async def _try(config: Config, builder: Builder) -> tuple[dict[str, GuestVersion], dict[str, str]]:
    source = FolderSource(config)
    try:
        versions, faults = await source.obtain(config.named_guests())
        generation = await builder.build(config, versions, faults)
        await builder.free(generation)
        return versions, generation.faults
    finally:
        await source.close()


def _origin(version: GuestVersion, config: Config) -> str:
    """For a standard guest: its file, and why it may serve if signatures are required."""
    if not version.is_standard:
        return ""
    told = f", the standard guest {version.path}"
    if not config.guests.verify_keys:
        return told
    return f"{told}, {f'signed by the key {version.key}' if version.key else 'trusted by guests.trust_standard'}"
