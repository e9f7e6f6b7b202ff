"""``sentinel check``: everything that can be known before serving."""

from __future__ import annotations

import argparse
import sys

from sentinel_host.config import load_config
from sentinel_host.gateway.build import Builder, named_guests
from sentinel_host.paths import STRICT


def check(options: argparse.Namespace) -> int:
    """Check the configuration, and load and configure every guest that it names; one line per guest.

    Returns 1 when a guest cannot be taken into service. Raises `ConfigError`.
    """
    config = load_config(options.config)
    builder = Builder(config, STRICT)
    faults = builder.build().faults
    for line in builder.engine.log.drain()[0]:
        print(f"{line.guest}: {line.level}: {line.message}")
    for name in named_guests(config):
        if name in faults:
            print(f"sentinel: guest {name}: {faults[name]}", file=sys.stderr)
        else:
            print(f"{name}: ok")
    if not faults:
        print(f"{config.file}: ok")
    return 1 if faults else 0
