"""A canary: a new version gets a share of the requests, and the rest when it has shown that it
works.
"""

from __future__ import annotations

import pytest

from tests.hotload.conftest import Start
from tests.hotload.failing import ON_DELETE, config, digest, version
from tests.hotload.operating import ask, command, put, told, wait_for_answer, wait_for_digest
from tests.supervisor.support import wait_until
from tests.support.gateways import GatewayProcess

workers = pytest.mark.parametrize("count", [1, 2])
ONE = version("one")
TWO = version("two")


def begin(gateway: GatewayProcess, data: bytes) -> None:
    """A new version is a canary in every worker."""
    put(gateway, data)
    wait_for_digest(gateway, ONE, data)


def answers(gateway: GatewayProcess, times: int, method: str = "GET") -> dict[bytes, int]:
    """Who answered how often, to many clients."""
    found: dict[bytes, int] = {}
    for number in range(times):
        body = ask(gateway, f"192.0.2.{number % 50}", method)[1]
        found[body] = found.get(body, 0) + 1
    return found


@workers
def test_a_canary_gets_its_share_until_it_is_promoted(
    start: Start, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = start(config("canary = { weight = 20 }", workers=count), ONE)
    begin(gateway, TWO)
    found = answers(gateway, 600)
    assert set(found) == {b"one", b"two"}
    # 120 are expected; five standard deviations are 49.
    assert 71 <= found[b"two"] <= 169
    guest = told(gateway)
    assert guest["state"] == "serving"
    assert guest["sha256"] == digest(ONE)
    assert guest["canary"].pop("since").startswith("20")
    assert guest["canary"] == {"sha256": digest(TWO), "version": None, "weight": 20}
    assert gateway.metric('sentinel_guest_canary{guest="versioned"}') == count
    capsys.readouterr()
    assert command(gateway, "guests") == 0
    assert "gets 20 % since" in capsys.readouterr().out
    assert command(gateway, "promote", "versioned") == 0
    assert answers(gateway, 30) == {b"two": 30}
    assert told(gateway)["canary"] is None
    assert told(gateway)["previous"] == digest(ONE)


def test_a_canary_that_does_not_fail_is_promoted_in_time(start: Start) -> None:
    gateway = start(config('canary = { weight = 50, time = "2s" }', workers=1), ONE)
    # On a busy machine its time may be over before anybody has seen it as a canary.
    put(gateway, TWO)
    gateway.wait_for_log("was promoted")
    wait_for_answer(gateway, "two", 20)


@workers
def test_a_canary_that_fails_is_rolled_back(start: Start, count: int) -> None:
    gateway = start(config("canary = { weight = 50 }", workers=count), ONE)
    bad = version("two", ON_DELETE)
    begin(gateway, bad)

    def is_back() -> bool:
        answers(gateway, 40, "DELETE")
        return told(gateway)["rolled_back"] is not None

    wait_until(is_back, "the version before")
    wait_for_answer(gateway, "one", 20)
    assert told(gateway)["canary"] is None
    assert told(gateway)["rolled_back"] == digest(bad)


def test_a_canary_that_is_rolled_back(start: Start) -> None:
    gateway = start(config("canary = { weight = 50 }"), ONE)
    begin(gateway, TWO)
    assert command(gateway, "rollback", "versioned") == 0
    assert answers(gateway, 30) == {b"one": 30}


def test_a_canary_that_does_not_start_changes_nothing(start: Start) -> None:
    gateway = start(config("canary = { weight = 50 }"), ONE)
    put(gateway, TWO[:-3])
    gateway.wait_for_log("was not replaced")
    guest = told(gateway)
    assert (guest["canary"], guest["rolled_back"]) == (None, None)
    assert guest["last_error"]
    assert answers(gateway, 10) == {b"one": 10}


def test_a_canary_lives_on_when_the_configuration_changes(start: Start) -> None:
    gateway = start(config("canary = { weight = 50 }"), ONE)
    begin(gateway, TWO)
    file = gateway.folder / "sentinel.toml"
    fresh = gateway.folder / "sentinel.new"
    fresh.write_text(file.read_text().replace('path = "/"', 'path = "/"\nmethods = ["GET"]'))
    fresh.rename(file)
    wait_until(lambda: ask(gateway, method="DELETE")[0] == 404, "the other configuration")
    assert set(answers(gateway, 60)) == {b"one", b"two"}
    assert told(gateway)["canary"] is not None
