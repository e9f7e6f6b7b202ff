"""Abuse runs against ``sentinel run``, beside a stream of well-behaved requests none of which may
fail.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.clocks import PATIENCE
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, running_upstream

PROBE_ROUTE = """
[[upstream]]
name = "probed"
targets = ["PROBED"]

[[route]]
path = "/probe"
upstream = "probed"
"""
# What a process that has just started may still take for itself: caches of names, pools, the first
# use of a module.
_SETTLING = 4 << 20
# Seconds after which a connection that a probe left idle may be closed: some gateways do that after
# one.
_HELD_UP = 0.5
# Kept connections to upstreams.
_KEPT = 16
# Seconds between two requests of the probe.
_PAUSE = 0.03


@pytest.fixture(scope="module")
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    """A gateway from the module's ``CONFIG`` and ``GUESTS``."""
    folder = tmp_path_factory.mktemp("gateway")
    guests = getattr(request.module, "GUESTS", None)
    in_flight = getattr(request.module, "IN_FLIGHT", 0)
    with abused(request.module.CONFIG, guests, in_flight, folder, shared_upstream) as running:
        yield running


@contextmanager
def abused(
    text: str, guests: Mapping[str, Path | bytes] | None, in_flight: int, folder: Path, upstream: Upstream
) -> Iterator[GatewayProcess]:
    """A gateway from this configuration, which must serve the probe all the time and end as it
    was; ``in_flight`` is as `probing` has it.
    """
    with running_upstream() as probed:
        config = (text + PROBE_ROUTE).replace("UPSTREAM", upstream.url)
        config = config.replace("PROBED", probed.url).replace("AUTHORITY", str(upstream.ca))
        with sentinel_run(write_config(folder, config, guests)) as running:
            before = running.descriptors()
            with probing(running, in_flight):
                yield running
            descriptors_settle(running, before + _KEPT)


@contextmanager
def probing(gateway: GatewayProcess, in_flight: int) -> Iterator[None]:
    """Send a request after each pause; afterwards, none may have failed, and memory must be
    back.

    ``in_flight`` is what the abuse holds at its peak, which the C library's allocator may keep for
    the next one.
    """
    failures: list[str] = []
    stop = threading.Event()
    served = 0

    def probe() -> None:
        nonlocal served
        connection = http.client.HTTPConnection(*gateway.public, timeout=PATIENCE)
        asked = 0.0
        while not stop.wait(_PAUSE):
            asked_before, asked = asked, time.monotonic()
            reused = connection.sock is not None
            try:
                connection.request("GET", "/probe")
                response = connection.getresponse()
                body = response.read()
                if (response.status, body) != (200, b"hello"):
                    failures.append(f"{response.status} {body!r}")
                served += 1
            except (OSError, http.client.HTTPException) as error:
                # Held up for so long, it asked on a connection that was not kept for it any more.
                held_up = reused and isinstance(error, ConnectionError) and time.monotonic() - asked_before > _HELD_UP
                if not held_up:
                    failures.append(repr(error))
                connection.close()
        connection.close()

    thread = threading.Thread(target=probe)
    thread.start()
    while not served and not failures:
        time.sleep(0.01)
    before = gateway.memory()
    try:
        yield
    finally:
        after = gateway.memory()
        stop.set()
        thread.join()
    assert not failures, failures
    assert gateway.process.poll() is None
    assert after < before * 1.05 + _SETTLING + in_flight, f"memory grew from {before} to {after}"


def descriptors_settle(gateway: GatewayProcess, most: int) -> None:
    """Wait until no more descriptors are open than that."""
    end = time.monotonic() + PATIENCE
    while (count := gateway.descriptors()) > most:
        assert time.monotonic() < end, f"{count} descriptors stay open"
        time.sleep(0.05)
