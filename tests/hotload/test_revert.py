"""A new version that fails is rolled back by itself; no client alone can bring that about."""

from __future__ import annotations

import re

import pytest

from tests.hotload.conftest import Start
from tests.hotload.failing import ALWAYS, ON_DELETE, config, digest, version
from tests.hotload.operating import ask, command, put, told, wait_for_answer, wait_for_digest
from tests.supervisor.support import wait_until
from tests.support.gateways import GatewayProcess

workers = pytest.mark.parametrize("count", [1, 2])
ONE = version("one")


def fail(gateway: GatewayProcess, clients: int, times: int, method: str = "GET") -> None:
    """Requests of several clients in turn."""
    for number in range(times):
        ask(gateway, f"192.0.2.{number % clients}", method)


@workers
def test_a_version_that_fails_for_several_clients_is_rolled_back(start: Start, count: int) -> None:
    gateway = start(config(workers=count), ONE)
    bad = version("two", ALWAYS)
    put(gateway, bad)
    wait_for_digest(gateway, bad)

    def is_back() -> bool:
        fail(gateway, 5, 10)
        return told(gateway)["rolled_back"] is not None

    wait_until(is_back, "the version before")
    wait_for_answer(gateway, "one", 8)
    line = gateway.wait_for_log("was rolled back, and")
    # Of two workers, one may have got those of some clients only.
    assert re.search(r"calls failed, for [3-5] clients", line)
    assert told(gateway)["state"] == "serving"
    assert gateway.metric('sentinel_guest_rollbacks_total{guest="versioned"}') == 1
    # The same bytes are not tried again; others are.
    put(gateway, bad)
    gateway.wait_for_log("is not tried again until its file changes")
    assert {ask(gateway)[1] for _ in range(8)} == {b"one"}
    put(gateway, version("three"))
    wait_for_answer(gateway, "three", 8)
    wait_until(lambda: told(gateway)["rolled_back"] is None, "the end of the rollback")


def test_one_client_alone_takes_nothing_back(start: Start) -> None:
    """Its requests fail by the hundred, beside those of others that pass, and then those of
    everybody fail.
    """
    gateway = start(config(workers=1), ONE)
    two = version("two", ON_DELETE)
    put(gateway, two)
    wait_for_answer(gateway, "two", 8)
    wait_for_digest(gateway, two)
    for number in range(300):
        assert ask(gateway, "203.0.113.66", "DELETE")[0] == 503
        if number % 3 == 0:
            assert ask(gateway, f"192.0.2.{number % 200}")[1] == b"two"
    # A few of the others fail as well, as they would by chance.
    fail(gateway, 4, 4, "DELETE")
    assert ask(gateway)[1] == b"two"
    assert told(gateway)["rolled_back"] is None

    def is_back() -> bool:
        fail(gateway, 9, 40, "DELETE")
        return told(gateway)["rolled_back"] is not None

    wait_until(is_back, "the version before")
    wait_for_answer(gateway, "one", 8)


def test_a_guest_that_is_not_to_be_rolled_back_is_not(start: Start) -> None:
    gateway = start(config("revert = false"), ONE)
    bad = version("two", ON_DELETE)
    put(gateway, bad)
    wait_for_answer(gateway, "two")
    fail(gateway, 6, 90, "DELETE")
    assert told(gateway)["sha256"] == digest(bad)
    assert command(gateway, "rollback", "versioned") == 0
    wait_for_answer(gateway, "one")


def test_the_first_version_has_nothing_to_go_back_to(start: Start) -> None:
    gateway = start(config(), version("one", ON_DELETE))
    fail(gateway, 6, 60, "DELETE")
    guest = told(gateway)
    assert (guest["rolled_back"], guest["failures"], guest["state"]) == (None, 60, "serving")


def test_the_configured_share_decides(start: Start) -> None:
    gateway = start(config("revert = { share = 0.9, calls = 5000 }"), ONE)
    put(gateway, version("two", ON_DELETE))
    wait_for_answer(gateway, "two")
    for number in range(120):
        ask(gateway, f"192.0.2.{number % 7}", "DELETE")
        ask(gateway, f"192.0.2.{number % 7}")
        if number == 60:
            # Half of the calls have failed.
            assert told(gateway)["rolled_back"] is None
    assert told(gateway)["rolled_back"] is None


def test_a_version_in_quarantine_before_the_swap_does_not_haunt_the_one_after(start: Start) -> None:
    gateway = start(config("revert = false"), version("one", ON_DELETE))
    fail(gateway, 6, 150, "DELETE")
    wait_until(lambda: told(gateway)["state"] == "quarantined", "quarantine")
    put(gateway, version("two"))
    wait_for_answer(gateway, "two", 3)
    wait_until(lambda: told(gateway)["state"] == "serving", "the end of the quarantine")
