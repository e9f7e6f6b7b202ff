"""What was rolled back stays so when the whole gateway is started again, until the guest's file
changes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hotload.conftest import Start
from tests.hotload.failing import ALWAYS, config, digest, version
from tests.hotload.operating import ask, command, put, told, wait_for_digest
from tests.supervisor.support import wait_until
from tests.support.gateways import GatewayProcess

workers = pytest.mark.parametrize("count", [1, 2])
ONE, TWO, BAD = version("one"), version("two"), version("bad", ALWAYS)
CACHE = '[guests]\ncache = "state"\n'
_NOT_TRIED = "is not tried again until its file changes"
_RELOADED = "was reloaded, and serves"


def fail_until_rolled_back(gateway: GatewayProcess) -> None:
    """Requests of several clients; what was decided has been kept when this returns."""

    def is_back() -> bool:
        for number in range(20):
            ask(gateway, f"192.0.2.{number % 5}")
        return any("was rolled back, and" in line for line in list(gateway.log))

    wait_until(is_back, "the version before")


def start_and_roll_back(start: Start, text: str, first: bytes = ONE) -> GatewayProcess:
    """A gateway to which the second version came, and was rolled back."""
    gateway = start(text, first)
    put(gateway, TWO)
    wait_for_digest(gateway, TWO)
    assert command(gateway, "rollback", "versioned") == 0
    wait_for_digest(gateway, first)
    return gateway


def stopped_after_a_rollback(start: Start, text: str, first: bytes = ONE) -> GatewayProcess:
    """The same, at its end."""
    gateway = start_and_roll_back(start, text, first)
    gateway.stop()
    return gateway


def serves(gateway: GatewayProcess, name: str) -> bool:
    """Whether that version answers every one of the first requests, and no call has failed."""
    answers = {ask(gateway, f"192.0.2.{number % 7}") for number in range(30)}
    return answers == {(200, name.encode())} and told(gateway)["failures"] == 0


def records(gateway: GatewayProcess) -> list[Path]:
    """What is kept of versions that were rolled back."""
    return list((gateway.folder / "state").glob("*.rollback"))


@workers
def test_a_version_that_failed_is_not_tried_by_the_next_process(start: Start, count: int) -> None:
    text = config(workers=count) + CACHE
    gateway = start(text, ONE)
    put(gateway, BAD)
    wait_for_digest(gateway, BAD)
    fail_until_rolled_back(gateway)
    gateway.stop()
    gateway = start(text, None)
    assert serves(gateway, "one")
    line = gateway.wait_for_log(_NOT_TRIED)
    assert digest(BAD)[:12] in line
    # Of two workers, one may have got those of some clients only.
    assert re.search(r"calls failed, for [3-5] clients", line)
    guest = told(gateway)
    assert (guest["state"], guest["sha256"], guest["rolled_back"]) == ("serving", digest(ONE), digest(BAD))
    assert guest["last_error"] == ""
    # The same file once more changes nothing; another one is loaded, and ends it for the processes
    # to come, too.
    put(gateway, BAD)
    wait_until(lambda: sum(_NOT_TRIED in line for line in list(gateway.log)) == 2, "a second line")
    assert serves(gateway, "one")
    put(gateway, TWO)
    wait_for_digest(gateway, TWO)
    # Workers tell what they serve before it is noted.
    wait_until(lambda: told(gateway)["rolled_back"] is None and records(gateway) == [], "the record's end")
    gateway.stop()
    gateway = start(text, None)
    assert serves(gateway, "two")
    assert not any(_NOT_TRIED in line for line in gateway.log)


def test_a_rollback_holds_until_it_is_undone(start: Start) -> None:
    text = config(workers=1) + CACHE
    gateway = start_and_roll_back(start, text)
    for _ in range(2):
        gateway.stop()
        gateway = start(text, None)
        assert serves(gateway, "one")
        assert "(by an operator)" in gateway.wait_for_log(_NOT_TRIED)
        assert told(gateway)["rolled_back"] == digest(TWO)
    # By hand it serves all the same, and can be rolled back to what was only kept.
    assert command(gateway, "promote", "versioned") == 0
    wait_for_digest(gateway, TWO)
    assert (told(gateway)["previous"], records(gateway)) == (digest(ONE), [])
    assert command(gateway, "rollback", "versioned") == 0
    gateway.stop()
    gateway = start(text, None)
    assert serves(gateway, "one")
    assert command(gateway, "promote", "versioned") == 0
    gateway.stop()
    gateway = start(text, None)
    assert serves(gateway, "two")


def test_a_file_that_changed_in_between_is_tried(start: Start) -> None:
    text = config(workers=1) + CACHE
    gateway = stopped_after_a_rollback(start, text)
    gateway = start(text, version("three"))
    assert serves(gateway, "three")
    assert told(gateway)["rolled_back"] is None
    assert records(gateway) == []


def flip(record: Path) -> None:
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 1
    record.write_bytes(data)


def cut(record: Path) -> None:
    record.write_bytes(record.read_bytes()[:40])


def share(record: Path) -> None:
    record.chmod(0o644)


def replace(record: Path) -> None:
    record.unlink()
    record.mkdir()


def lead_elsewhere(record: Path) -> None:
    record.symlink_to(record.rename(record.with_name("elsewhere")))


@pytest.mark.parametrize("spoil", [flip, cut, share, replace, lead_elsewhere])
def test_what_cannot_be_believed_is_reported_and_the_file_tried(start: Start, spoil: Callable[[Path], None]) -> None:
    text = config() + CACHE
    gateway = stopped_after_a_rollback(start, text)
    (record,) = records(gateway)
    spoil(record)
    gateway = start(text, None)
    assert record.name in gateway.wait_for_log("the record of its rollback cannot be read, and its file is tried")
    assert serves(gateway, "two")
    assert told(gateway)["rolled_back"] is None


def test_what_cannot_be_believed_is_reported_by_the_supervisor(start: Start) -> None:
    text = config(workers=2) + CACHE
    gateway = stopped_after_a_rollback(start, text)
    flip(records(gateway)[0])
    gateway = start(text, None)
    assert "is corrupted" in gateway.wait_for_log("the record of its rollback cannot be read")
    assert serves(gateway, "two")
    assert sum("the record of its rollback" in line for line in gateway.log) == 1


def test_what_was_compiled_may_be_gone_and_so_may_be_everything(start: Start) -> None:
    """Another engine does not find what this one compiled; nobody finds anything in a cache that
    was deleted.
    """
    text = config(workers=1) + CACHE
    gateway = stopped_after_a_rollback(start, text)
    for compiled in (gateway.folder / "state").glob("*.guest"):
        compiled.unlink()
    gateway = start(text, None)
    assert serves(gateway, "one")
    gateway.stop()
    shutil.rmtree(gateway.folder / "state")
    gateway = start(text, None)
    assert serves(gateway, "two")


def test_without_a_cache_it_is_said_that_a_restart_forgets(start: Start) -> None:
    text = config() + CACHE
    gateway = start(text, ONE)
    gateway.stop()
    (gateway.folder / "state").chmod(0o755)
    gateway = start_and_roll_back(start, text)
    gateway.wait_for_log("again: there is no cache")


def test_a_version_before_that_does_not_start_any_more_leaves_the_file(start: Start) -> None:
    """The configuration has changed meanwhile: one that is known to fail is better than none at
    all.
    """
    text = config(workers=1) + CACHE
    stopped_after_a_rollback(start, text, version("large", pages=64))
    gateway = start(text.replace("config = {}", 'config = {}\nmemory = "2MiB"'), None)
    gateway.wait_for_log("was rolled back and is tried again: the version before does not start")
    gateway.wait_for_log("versioned.wasm (the version before): start: memory minimum size of 64 pages exceeds")
    wait_for_digest(gateway, TWO)
    assert {ask(gateway) for _ in range(30)} == {(200, b"two")}
    assert told(gateway)["rolled_back"] is None


def test_a_file_that_goes_and_comes_back_is_the_same_file(start: Start) -> None:
    text = config(workers=1) + CACHE
    gateway = stopped_after_a_rollback(start, text)
    (gateway.folder / "guests" / "versioned.wasm").unlink()
    gateway = start(text, None)
    assert ask(gateway)[0] == 503
    put(gateway, TWO)
    wait_for_digest(gateway, ONE)
    assert serves(gateway, "one")
    assert told(gateway)["rolled_back"] == digest(TWO)


@workers
def test_a_guest_that_no_route_had_for_a_while_is_not_tried_again(start: Start, count: int) -> None:
    """With several workers the version that had been rolled back served, once a route had the guest
    again.
    """
    text = config(workers=count) + CACHE
    gateway = start_and_roll_back(start, text)
    file = gateway.folder / "sentinel.toml"
    without = text.replace('chain = ["versioned"]', "chain = []")
    for number, (replaced, status) in enumerate(((without, 502), (text, 200))):
        fresh = gateway.folder / "sentinel.new"
        fresh.write_text(replaced)
        fresh.rename(file)
        # Every worker serves it then; answers could all be one worker's.
        gateway.wait(lambda number=number: sum(_RELOADED in line for line in gateway.log) > number, _RELOADED)
        assert {ask(gateway)[0] for _ in range(8)} == {status}
    assert serves(gateway, "one")
    assert told(gateway)["rolled_back"] == digest(TWO)


def test_a_canary_that_was_rolled_back_does_not_serve_after_a_restart(start: Start) -> None:
    text = config("canary = { weight = 50 }", workers=1) + CACHE
    gateway = start(text, ONE)
    put(gateway, TWO)
    wait_for_digest(gateway, ONE, TWO)
    assert command(gateway, "rollback", "versioned") == 0
    gateway.stop()
    gateway = start(text, None)
    assert serves(gateway, "one")
    assert (told(gateway)["canary"], told(gateway)["rolled_back"]) == (None, digest(TWO))
    # Another file is a canary, as ever.
    put(gateway, version("three"))
    wait_until(lambda: told(gateway)["canary"] is not None, "another canary")
    assert told(gateway)["rolled_back"] is None
