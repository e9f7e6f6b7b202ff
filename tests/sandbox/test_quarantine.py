"""When a guest is no longer called, and how it comes back."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sentinel_host.errors import GuestError, GuestProtocolError, GuestQuarantined
from sentinel_host.sandbox import GuestEngine, GuestMiddleware
from sentinel_host.sandbox.breaker import Breaker
from tests.support.instances import started

from .conftest import Load
from .support import Service, ask, granting

CLIENTS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")


@pytest.fixture
def now() -> list[float]:
    """The quarantine's clock, which stands still until a test moves it."""
    return [1000.0]


@pytest.fixture
def engine(now: list[float]) -> GuestEngine:
    """An engine of its own that goes by this clock."""
    return GuestEngine(clock=lambda: now[0])


async def outcomes(middleware: GuestMiddleware, calls: int, clients: tuple[str, ...], record: bytes = b"") -> list[str]:
    """The errors' names, for calls of clients in turn."""
    names = []
    for number in range(calls):
        try:
            await ask(middleware, record, clients[number % len(clients)])
            names.append("ok")
        except GuestError as error:
            names.append(type(error).__name__)
    return names


def test_one_client_cannot_switch_a_guest_off(load: Load, engine: GuestEngine) -> None:
    """Nor can one of many addresses in one IPv6 network, however often the guest traps."""

    async def main() -> None:
        middleware = started(load("good/counter"))
        network = tuple(f"2001:db8:0:1::{number:x}" for number in range(500))
        for clients in (CLIENTS[:1], network):
            assert set(await outcomes(middleware, 500, clients)) == {"GuestTrap"}
        # With those, there are two clients.
        assert await outcomes(middleware, 1, CLIENTS[1:2], b"x") == ["ok"]

    asyncio.run(main())
    assert engine.snapshot()["counter"]["quarantines"] == 0


def test_failing_for_several_clients_is_quarantine(
    load: Load, engine: GuestEngine, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        middleware = started(load("good/counter", instances=4), on_failure="open")
        assert await outcomes(middleware, 101, CLIENTS) == ["GuestTrap"] * 100 + ["GuestQuarantined"]
        counts = engine.snapshot()["counter"]
        assert (counts["quarantines"], counts["quarantined"], counts["instances"]) == (1, 1, 0)
        with pytest.raises(GuestQuarantined) as caught:
            await ask(middleware, b"x")
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
        # One probe a back-off; each that fails doubles it.
        for backoff in (1, 2, 4, 8, 16, 32, 60, 60):
            now[0] += backoff - 0.01
            assert await outcomes(middleware, 2, CLIENTS) == ["GuestQuarantined"] * 2
            now[0] += 0.01
            assert await outcomes(middleware, 2, CLIENTS) == ["GuestTrap", "GuestQuarantined"]
        now[0] += 60
        assert await outcomes(middleware, 3, CLIENTS, b"x") == ["ok"] * 3
        counts = engine.snapshot()["counter"]
        assert (counts["quarantines"], counts["quarantined"], counts["instances"]) == (1, 0, 1)
        # Back at once: with the longest back-off, as nothing has become better.
        assert await outcomes(middleware, 101, CLIENTS) == ["GuestTrap"] * 100 + ["GuestQuarantined"]
        now[0] += 59
        assert await outcomes(middleware, 1, CLIENTS) == ["GuestQuarantined"]
        now[0] += 1
        assert await outcomes(middleware, 1, CLIENTS, b"x") == ["ok"]

    caplog.set_level(logging.WARNING, logger="sentinel.sandbox")
    asyncio.run(main())
    assert caplog.messages[0] == "guest counter is in quarantine for 1 s: it fails for several clients"
    assert caplog.messages[-1] == "guest counter is out of quarantine"


def test_half_of_the_calls_must_fail(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        middleware = started(load("good/counter"))
        for _ in range(300):
            assert await outcomes(middleware, 1, CLIENTS[:1]) == ["GuestTrap"]
            assert await outcomes(middleware, 2, CLIENTS[1:], b"x") == ["ok"] * 2
        counts = engine.snapshot()["counter"]
        assert (counts["traps"], counts["quarantines"]) == (300, 0)

    asyncio.run(main())


def test_answers_that_break_the_contract_count(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        middleware = started(load("good/echo"))
        names = await outcomes(middleware, 101, CLIENTS, b"\xc1")
        assert names == [GuestProtocolError.__name__] * 100 + ["GuestQuarantined"]
        assert engine.snapshot()["echo"]["protocol_errors"] == 100

    asyncio.run(main())


def test_only_one_probe_at_a_time(load: Load, engine: GuestEngine, now: list[float]) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service)))
        assert (await outcomes(middleware, 101, CLIENTS))[-1] == "GuestQuarantined"
        now[0] += 1
        probe = asyncio.ensure_future(ask(middleware, b"wait"))
        await service.has_begun()
        assert await outcomes(middleware, 3, CLIENTS, b"y") == ["GuestQuarantined"] * 3
        probe.cancel()
        await asyncio.wait([probe])
        # A probe that its client left behind has shown nothing.
        assert await outcomes(middleware, 1, CLIENTS, b"y") == ["ok"]

    asyncio.run(main())


def test_calls_under_way_when_quarantine_begins_end_well_and_bring_no_instance_back(
    load: Load, engine: GuestEngine, now: list[float]
) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service)))
        call = asyncio.ensure_future(ask(middleware, b"wait"))
        await service.has_begun()
        assert (await outcomes(middleware, 101, CLIENTS, b""))[-1] == "GuestQuarantined"
        assert not call.done()
        service.go.set()
        assert (await call).context == b"\x01"
        assert engine.snapshot()["http_counts"]["instances"] == 0
        assert await outcomes(middleware, 1, CLIENTS, b"x") == ["GuestQuarantined"]

    asyncio.run(main())


def test_old_failures_are_forgotten() -> None:
    breaker = Breaker()
    for call in range(99):
        assert not breaker.failed(call, CLIENTS[call % 3])
    assert not breaker.failed(250, CLIENTS[0])
    assert not breaker.failed(251, CLIENTS[1])
    for call in range(400, 499):
        assert not breaker.failed(call, CLIENTS[call % 3])
    assert breaker.failed(499, CLIENTS[0])


def test_a_client_that_is_no_address_is_still_one() -> None:
    breaker = Breaker()
    assert not any(breaker.failed(call, "unix:" if call % 2 else "") for call in range(1000))


def test_a_flood_of_one_client_beside_failures_by_chance_is_no_quarantine() -> None:
    """One client sent nothing but what makes the guest fail, two others failed once each, and that
    was half of the last 200 calls, of several clients: the guest was switched off for everybody.
    """
    breaker = Breaker()
    for call in range(1, 2001):
        if call % 100 == 0:
            assert not breaker.failed(call, f"198.51.100.{call % 7}")
        elif call % 4:
            assert not breaker.failed(call, "192.0.2.66")
