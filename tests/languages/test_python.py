"""A guest in Python in the shipping sandbox: all hooks, all grants, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel_host.authoring.loading import load
from sentinel_host.errors import GuestError, GuestLoadError, GuestTimeout, GuestTrap
from sentinel_host.messages import OutboundRequest, Response
from sentinel_host.sandbox import Grants, GuestEngine
from sentinel_host.testing import TestedGuest

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def service(request: OutboundRequest) -> Response | str:
    return Response(200, [], b"from outside") if request.url == "http://service/" else "denied"


@pytest.fixture
def guest(python_guest: Path) -> Iterator[TestedGuest]:
    made = TestedGuest(python_guest, clock=NOW, http=service)
    yield made
    made.close()


def said(guest: TestedGuest, query: str) -> str:
    return guest.request(target=f"/?{query}").body.decode()


def test_every_hook_is_called(guest: TestedGuest) -> None:
    result = guest.request("POST", "/body", {"a": "b"}, b"hello")
    assert (result.header("x-seen"), result.header("x-length"), result.body) == ("127.0.0.1 / 1", "5", b"HELLO")
    response = guest.response(200, {}, b"hello, world")
    assert (response.header("x-context"), response.body) == ("/body", b"hello, moon")
    assert guest.complete(path="/body", status=200).logs == (("debug", "/body 200 /body"),)


def test_the_hosts_functions_and_the_library_that_needs_them(guest: TestedGuest) -> None:
    wall = int(NOW.timestamp())
    assert said(guest, "time") == f"{wall}000000000 {wall} 2026-03-04T05:06:07+00:00"
    assert said(guest, "random").startswith("8 8 4 3 ")
    assert said(guest, "kv") == "2 b'some' None True not-a-number"
    assert said(guest, "http") == "from outside"
    assert said(guest, "file") == "FileNotFoundError"
    counted = guest.request(target="/?metrics")
    assert counted.metrics['asked{how="well"}'] == 2
    assert counted.logs == (("warn", "metrics.describe: took_seconds: it is described already, and otherwise"),)
    assert guest.descriptions == {
        "asked": ("counter", "Things that were asked.", "", ()),
        "took_seconds": ("histogram", "", "seconds", (1, 2.5)),
    }
    logs = guest.request(target="/?print").logs
    assert logs == (("info", "printed"), ("info", "in two lines"), ("warn", "mine: logged 1"))


def test_instances_do_not_draw_the_same_numbers(python_guest: Path) -> None:
    """All of them begin with the memory that the build left."""
    drawn = set()
    for seed in (1, 2):
        made = TestedGuest(python_guest, seed=seed)
        drawn.add(said(made, "random"))
        made.close()
    assert len(drawn) == 2


def failure(guest: TestedGuest, query: str) -> tuple[GuestError, list[str]]:
    with pytest.raises(GuestError) as caught:
        guest.request(target=f"/?{query}")
    return caught.value, [text for _, text in guest.take_logs()]


def test_an_uncaught_exception_shows_the_authors_lines(guest: TestedGuest) -> None:
    error, (text,) = failure(guest, "raise")
    assert isinstance(error, GuestTrap)
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("RuntimeError: the author's own")
    assert 'faults.py", line ' in text
    assert "    self.deeper()" in text
    # The next request has an instance of its own.
    assert guest.request(target="/").action == "continue"


@pytest.mark.parametrize(("query", "shown"), [("recursion", "RecursionError"), ("exit", "SystemExit")])
def test_other_ways_to_end_a_call(guest: TestedGuest, query: str, shown: str) -> None:
    error, logs = failure(guest, query)
    # Where it takes too long to say so, the deadline is met first.
    assert isinstance(error, GuestTimeout) or any(shown in text for text in logs)


def test_an_endless_loop_meets_its_deadline(guest: TestedGuest) -> None:
    error, _ = failure(guest, "loop")
    assert isinstance(error, GuestTimeout)


def test_memory_that_runs_out(guest: TestedGuest) -> None:
    error, logs = failure(guest, "memory")
    assert isinstance(error, GuestTrap | GuestTimeout)
    if isinstance(error, GuestTrap):
        assert any("MemoryError" in text for text in logs)
    assert guest.request(target="/").action == "continue"


def test_an_import_without_a_grant_is_named(python_guest: Path) -> None:
    with pytest.raises(GuestLoadError, match='which needs the grant "clock"'):
        load(python_guest, GuestEngine(), Grants(frozenset({"kv", "metrics", "random", "http-client"})))
