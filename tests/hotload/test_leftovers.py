"""Versions that fail leave nothing behind: no module, no anonymous file, no memory, in no
worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel_host.sandbox.artefact import SELF_TEST
from sentinel_host.sandbox.binary import custom_section
from tests.hotload.versions import config, put, refusals, running, wait_for_version
from tests.supervisor import support
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess
from tests.support.modules import images, with_image
from tests.support.upstreams import Upstream

MANY = 4
# Of each refused version: of those that loop alone, what they once left would be 24 MiB.
BALLAST = 4 << 20
SLACK = 16 << 20


def _tested(name: str, number: int, method: str) -> bytes:
    """A version whose self-test asks its guest with this method."""
    case = {"name": "n", "hook": "on-request", "head": {"method": method}, "expect": {"action": "respond"}}
    return with_image(name, number, BALLAST) + custom_section(SELF_TEST, json.dumps([case]).encode())


REFUSED: dict[str, Callable[[int], bytes]] = {
    "start loops": lambda number: with_image("hostile/start_loops", number, BALLAST),
    "configure loops": lambda number: with_image("hostile/configure_loops", number, BALLAST),
    "start traps": lambda number: with_image("hostile/start_traps", number, BALLAST),
    "configure traps": lambda number: with_image("hostile/configure", number, BALLAST),
    "self-test loops": lambda number: _tested("hostile/realloc_loops", number, "GET"),
    "self-test traps": lambda number: _tested("hostile/unreachable", number, "GET"),
    "self-test fails": lambda number: _tested("good/echo", number, "GET"),
}


def processes(gateway: GatewayProcess) -> list[int]:
    """Those that serve."""
    return list(support.workers(gateway).values()) or [gateway.process.pid]


def held(gateway: GatewayProcess) -> list[int]:
    """How many modules each process has that serves."""
    return [images(process) for process in processes(gateway)]


def resident(gateway: GatewayProcess) -> int:
    """Resident bytes of the processes that serve."""
    found = 0
    for process in processes(gateway):
        status = Path(f"/proc/{process}/status").read_text()
        found += int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_versions_that_are_refused_leave_nothing(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """40 files that loop in configure once took a gateway from 70 to 355 MB, with an anonymous file
    for each.
    """
    good = with_image("good/nil")
    with running(tmp_path, config(upstream, workers=workers), {"g": good}) as gateway:
        assert held(gateway) == [1] * workers
        for number in range(MANY):
            for make in REFUSED.values():
                before = refusals(gateway)
                put(gateway, make(number))
                gateway.wait(lambda before=before: refusals(gateway) > before, "a refusal")
            wait_until(lambda: held(gateway) == [1] * workers, "the refused modules to be gone")
            # By then everything has been loaded and compiled that this needs.
            if number == 1:
                memory = resident(gateway)
        assert resident(gateway) < memory + SLACK
        assert fetch(gateway.public).status == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_versions_that_fail_requests_leave_nothing_once_they_are_replaced(
    upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    """25 looping versions, each of which had been swapped out, once left 25 anonymous files."""
    good = with_image("good/nil")
    text = config(upstream, workers=workers, more="[guest.g]\nrevert = false\n")
    with running(tmp_path, text, {"g": good}) as gateway:
        for number in range(MANY):
            for name in ("hostile/loop_far", "hostile/unreachable"):
                bad = with_image(name, number)
                put(gateway, bad)
                wait_for_version(gateway, bad, workers)
                assert {fetch(gateway.public, "/loop").status for _ in range(2 * workers)} == {503}
        put(gateway, good)
        wait_for_version(gateway, good, workers)
        # What serves, and what a rollback would bring back.
        wait_until(lambda: held(gateway) == [1] * workers, "the replaced modules to be gone")
