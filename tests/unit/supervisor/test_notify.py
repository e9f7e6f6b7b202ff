"""A service manager is told at the address that it names, whichever kind that is, and only if it
names one.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from sentinel_host.supervisor.notify import Notifier
from tests.support.clocks import PATIENCE


def tell(address: str | None, variables: dict[str, str]) -> dict[str, str]:
    """Go from the start to the end; returns the environment that is left."""
    environment = variables if address is None else {"NOTIFY_SOCKET": address, **variables}

    async def main() -> None:
        notifier = Notifier.from_environment(environment)
        notifier.ready("serving")
        notifier.reloading()
        notifier.ready("serving again")
        notifier.stopping()
        notifier.close()

    asyncio.run(main())
    return environment


@pytest.mark.parametrize("kind", ["path", "abstract"])
@pytest.mark.parametrize("watchdog", [False, True])
def test_a_life_is_told_in_order(tmp_path: Path, kind: str, watchdog: bool) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(PATIENCE)
        manager.bind(name if kind == "path" else f"\0{name}")
        variables = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())} if watchdog else {}
        assert tell(name if kind == "path" else f"@{name}", variables) == {}
        told = [manager.recv(4096).decode().split("\n") for _ in range(5 if watchdog else 4)]
        # Fed as soon as the start is over, and then every half a minute.
        assert told.count(["WATCHDOG=1"]) == watchdog
        told = [lines for lines in told if lines != ["WATCHDOG=1"]]
        assert told[0] == ["READY=1", "STATUS=serving"]
        assert told[1][0] == "RELOADING=1"
        assert told[1][1].startswith("MONOTONIC_USEC=")
        assert told[2] == ["READY=1", "STATUS=serving again"]
        assert told[3] == ["STOPPING=1", "STATUS=draining"]


def test_a_manager_that_is_gone_or_never_was_is_no_fault(tmp_path: Path) -> None:
    assert tell(str(tmp_path / "gone"), {}) == {}
    assert tell(None, {}) == {}
