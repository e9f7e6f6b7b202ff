"""The pipes of a gateway: a relay has one while a body is in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.support.clocks import wait_until
from tests.support.gateways import GatewayProcess


def pipes(gateway: GatewayProcess) -> int:
    """How many ends of pipes the gateway has open."""
    found = 0
    for descriptor in Path(f"/proc/{gateway.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += os.readlink(descriptor).startswith("pipe:")
    return found


def wait_for_relay(gateway: GatewayProcess, before: int) -> None:
    """Wait until there are more than ``before``."""
    wait_until(lambda: pipes(gateway) > before, "body in a pipe")
