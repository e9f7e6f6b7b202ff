"""``sentinel check``: everything that can be known before serving."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from sentinel_host.config import Config
from sentinel_host.gateway.build import Builder
from sentinel_host.hotload.folder_source import FolderSource
from sentinel_host.supervisor.activation import activated_sockets
from sentinel_host.supervisor.listeners import Listeners
from sentinel_host.supervisor.prepared import prepare
from sentinel_host.supervisor.source import read_source


def check(options: argparse.Namespace) -> int:
    """Begin as `sentinel run` does, up to where it would listen; one line per guest.

    An address where somebody listens is as good as a free one: it may be the gateway whose configuration this is.
    Returns 1 when a guest cannot be taken into service. Raises `ConfigError`.
    """
    source = read_source(options.config, None, None)
    listeners = Listeners(activated_sockets({}), may_be_used=True)
    config, builder = prepare(source, listeners, os.environ, make_token=False).config, Builder()
    listeners.close()
    faults = asyncio.run(_faults(config, builder))
    for line in builder.engine.log.drain()[0]:
        print(f"{line.guest}: {line.level}: {line.message}")
    for name in config.named_guests():
        if name in faults:
            print(f"sentinel: guest {name}: {faults[name]}", file=sys.stderr)
        else:
            print(f"{name}: ok")
    if not faults:
        print(f"{config.file}: ok")
    return 1 if faults else 0


async def _faults(config: Config, builder: Builder) -> dict[str, str]:
    source = FolderSource(config)
    try:
        generation = await builder.build(config, *await source.obtain(config.named_guests()))
        await builder.free(generation)
        return generation.faults
    finally:
        await source.close()
