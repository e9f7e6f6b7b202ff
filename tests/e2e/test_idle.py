"""A worker that nobody asks anything of sleeps."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from pathlib import Path

import pytest

from guestbuild.places import GUESTS
from tests.e2e.conftest import StartGateway
from tests.support.clients import Wire
from tests.support.clocks import PATIENCE
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[guest.access-log]

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log"]
limit = {{ requests = 100000, window = "1h" }}
"""
CONNECTIONS = 300
MOST_EACH_SECOND = 10


def wake_ups(pid: int) -> int:
    """How often threads of a process have gone to sleep: each time, something woke them before."""
    text = "".join((thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int(count) for count in re.findall(r"^voluntary_ctxt_switches:\t(\d+)$", text, re.MULTILINE))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_idle_connections_do_not_wake_a_worker(start_sentinel: StartGateway, upstream: Upstream) -> None:
    """Once it is at rest, which may take a moment: guests' clock goes on for a twentieth of a
    second, and their log is looked at often for a second after the last line.
    """
    gateway = start_sentinel(CONFIG.format(upstream=upstream.url), {"access-log": GUESTS / "rust" / "access-log.wasm"})
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            wire = stack.enter_context(Wire(gateway.public))
            wire.get()
            assert wire.answer().status == 200
        end = time.monotonic() + PATIENCE
        rates = []
        while not rates or (rates[-1] > MOST_EACH_SECOND and time.monotonic() < end):
            before, began = wake_ups(gateway.process.pid), time.monotonic()
            # Nothing is waited for: this is the time in which they are counted.
            time.sleep(1)
            rates.append((wake_ups(gateway.process.pid) - before) / (time.monotonic() - began))
        assert rates[-1] <= MOST_EACH_SECOND, rates
