"""``sentinel check``: everything that can be known before serving."""

from __future__ import annotations

import argparse
import asyncio
import sys

from sentinel_host.config import Config, load_config
from sentinel_host.gateway.build import Builder
from sentinel_host.hotload.hot import Hot


def check(options: argparse.Namespace) -> int:
    """Check the configuration, and load and configure every guest that it names; one line per guest.

    Returns 1 when a guest cannot be taken into service. Raises `ConfigError`.
    """
    config = load_config(options.config)
    builder = Builder()
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
    files = Hot(config)
    try:
        generation = await builder.build(config, *await files.obtain(config.named_guests()))
        await builder.free(generation)
        return generation.faults
    finally:
        await files.close()
