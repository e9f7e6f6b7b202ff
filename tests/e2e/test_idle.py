"""A worker that nobody asks anything of sleeps."""

from __future__ import annotations

import contextlib
import sys
import time

import pytest

from guestbuild.places import GUESTS
from tests.e2e.conftest import StartGateway
from tests.support.clients import Wire
from tests.support.clocks import PATIENCE
from tests.support.upstreams import Upstream
from tests.support.wakeups import wake_ups

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
