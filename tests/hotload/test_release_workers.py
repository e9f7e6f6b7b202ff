"""What was decided about versions holds for workers that come later: after a death, and after
SIGHUP.
"""

from __future__ import annotations

import signal

from tests.hotload.conftest import Start
from tests.hotload.failing import ALWAYS, config, digest, version
from tests.hotload.operating import ask, command, put, told, wait_for_answer, wait_for_digest
from tests.supervisor.support import kill, starts, wait_until, workers
from tests.support.gateways import GatewayProcess

ONE, TWO = version("one"), version("two")


def wait_for(gateway: GatewayProcess, serving: bytes, canary: bytes | None) -> None:
    """Wait until every worker runs that: new ones may have to start first."""
    wait_for_digest(gateway, serving, canary)


def replace_one(gateway: GatewayProcess) -> None:
    before = starts(gateway)
    kill(workers(gateway)[1])
    wait_until(lambda: starts(gateway) > before, "a new worker")


def replace_all(gateway: GatewayProcess) -> None:
    before = starts(gateway)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: starts(gateway) >= before + 2, "two new workers")
    gateway.wait_for_log("every worker serves the new configuration")


def test_a_canary_goes_on(start: Start) -> None:
    gateway = start(config("canary = { weight = 50 }", workers=2), ONE)
    put(gateway, TWO)
    wait_for(gateway, ONE, TWO)
    replace_one(gateway)
    wait_for(gateway, ONE, TWO)
    replace_all(gateway)
    wait_for(gateway, ONE, TWO)
    assert {ask(gateway)[1] for _ in range(80)} == {b"one", b"two"}
    assert command(gateway, "promote", "versioned") == 0
    wait_for(gateway, TWO, None)
    replace_one(gateway)
    wait_for(gateway, TWO, None)


def test_what_was_rolled_back_stays_so(start: Start) -> None:
    gateway = start(config(workers=2), ONE)
    put(gateway, TWO)
    wait_for_answer(gateway, "two", 8)
    assert command(gateway, "rollback", "versioned") == 0
    wait_for(gateway, ONE, None)
    replace_one(gateway)
    wait_for(gateway, ONE, None)
    replace_all(gateway)
    wait_for(gateway, ONE, None)
    assert told(gateway)["rolled_back"] == digest(TWO)
    assert {ask(gateway)[1] for _ in range(20)} == {b"one"}


def test_a_worker_that_comes_later_watches_a_version_on_trial(start: Start) -> None:
    gateway = start(config(workers=2), ONE)
    bad = version("bad", ALWAYS)
    put(gateway, bad)
    wait_for(gateway, bad, None)
    replace_one(gateway)
    # The other is gone too: whoever sees the failures now came after the swap.
    before = starts(gateway)
    kill(workers(gateway)[0])
    wait_until(lambda: starts(gateway) > before, "a new worker")
    wait_for(gateway, bad, None)

    def is_back() -> bool:
        for number in range(20):
            ask(gateway, f"192.0.2.{number % 5}")
        return told(gateway)["rolled_back"] == digest(bad)

    wait_until(is_back, "the version before")
    wait_for(gateway, ONE, None)


def test_a_version_that_came_with_a_reload_can_be_rolled_back(start: Start) -> None:
    text = config(workers=2) + "[guests]\nwatch = false\n"
    gateway = start(text, ONE)
    put(gateway, TWO)
    replace_all(gateway)
    wait_for(gateway, TWO, None)
    assert told(gateway)["previous"] == digest(ONE)
    assert command(gateway, "rollback", "versioned") == 0
    wait_for(gateway, ONE, None)
