"""A guest in TypeScript in the shipping sandbox: all hooks, all grants, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel_host.authoring import node, node_sdk
from sentinel_host.authoring.loading import load
from sentinel_host.errors import GuestError, GuestLoadError, GuestTimeout, GuestTrap
from sentinel_host.messages import OutboundRequest, Response
from sentinel_host.sandbox import Grants, GuestEngine
from sentinel_host.testing import TestedGuest
from tests.hotload.configuration import with_one_route
from tests.support.clients import fetch
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import sentinel_run, write_config
from tests.support.upstreams import Upstream

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SOURCE = Path(__file__).parent / "typescript" / "faults" / "src" / "index.ts"


def service(request: OutboundRequest) -> Response | str:
    return Response(200, [], b"from outside") if request.url == "http://service/" else "denied"


@pytest.fixture(scope="module")
def guest(typescript_guest: Path) -> Iterator[TestedGuest]:
    made = TestedGuest(typescript_guest, clock=NOW, http=service)
    yield made
    made.close()


def said(guest: TestedGuest, query: str) -> str:
    return guest.request(target=f"/?{query}").body.decode()


def test_authors_install_no_tools_of_the_sdks_own() -> None:
    sdk = node_sdk.installed("typescript", "QuickJS, esbuild and TypeScript", node.check())
    assert (sdk / "node_modules" / "esbuild").is_dir()
    assert not (sdk / "node_modules" / "@biomejs").exists()


def test_every_hook_is_called(guest: TestedGuest) -> None:
    result = guest.request("POST", "/body", {"a": "b"}, b"hello")
    assert (result.header("x-seen"), result.header("x-length"), result.body) == ("127.0.0.1 / 1", "5", b"HELLO")
    response = guest.response(200, {}, b"hello, world")
    assert (response.header("x-context"), response.body) == ("/body", b"hello, moon")
    assert guest.complete(path="/body", status=200).logs == (("debug", "/body 200 /body"),)


def test_the_hosts_functions_and_the_library_that_needs_them(guest: TestedGuest) -> None:
    wall = int(NOW.timestamp())
    assert said(guest, "time") == f"{wall}000000000 {wall}000 2026-03-04T05:06:07.000Z"
    count, number, share = said(guest, "random").split()
    assert (count, int(number) < 1 << 64, 0 <= float(share) < 1) == ("8", True, True)
    assert said(guest, "kv") == "7 some null true not-a-number"
    assert said(guest, "text") == "grüße"
    counted = guest.request(target="/?metrics")
    assert counted.metrics['asked{how="well"}'] == 2
    assert counted.logs == (("warn", "metrics.describe: seconds: it is described already, and otherwise"),)
    assert guest.descriptions == {
        "asked": ("counter", "Things that were asked.", "", ()),
        "seconds": ("histogram", "", "seconds", (1, 2.5)),
    }
    first, second, third = guest.request(target="/?print").logs
    assert (first, second) == (("info", 'printed 1 {"a":[1]}'), ("warn", "complained"))
    assert third[1].startswith("TypeError: shown\n")


def test_services_are_asked_by_await(guest: TestedGuest) -> None:
    assert said(guest, "http") == "200 from outside denied"


def failure(guest: TestedGuest, query: str) -> tuple[GuestError, str]:
    with pytest.raises(GuestError) as caught:
        guest.request(target=f"/?{query}")
    return caught.value, "\n".join(text for _, text in guest.take_logs())


@pytest.mark.parametrize("query", ["throw", "throw-later"])
def test_an_uncaught_exception_shows_the_authors_lines(guest: TestedGuest, query: str) -> None:
    error, text = failure(guest, query)
    assert isinstance(error, GuestTrap)
    lines = SOURCE.read_text().splitlines()
    thrown = next(number for number, line in enumerate(lines, 1) if "tests look for this line" in line)
    assert text.startswith("Error: the author's own\n")
    assert f"at deeper (src/index.ts:{thrown})" in text
    # The next request has an instance of its own.
    assert guest.request(target="/").action == "continue"


def test_a_promise_that_nothing_settles_ends_the_call(guest: TestedGuest) -> None:
    error, text = failure(guest, "never")
    assert isinstance(error, GuestTrap)
    assert "a promise that nothing settles" in text


def test_endless_recursion_ends_the_call(guest: TestedGuest) -> None:
    error, _ = failure(guest, "recursion")
    assert isinstance(error, GuestTrap)
    assert "stack" in str(error)


def test_an_endless_loop_meets_its_deadline(guest: TestedGuest) -> None:
    error, _ = failure(guest, "loop")
    assert isinstance(error, GuestTimeout)


def test_memory_that_runs_out(guest: TestedGuest) -> None:
    error, text = failure(guest, "memory")
    assert isinstance(error, GuestTrap | GuestTimeout)
    if isinstance(error, GuestTrap):
        assert "out of memory" in text
    assert guest.request(target="/").action == "continue"


def test_memory_does_not_grow(guest: TestedGuest) -> None:
    """Thousands of calls; a leak of a hundred bytes a call would be several pages."""
    for _ in range(1000):
        guest.request(target="/", headers={"a": "b"})
    before = guest.memory
    for _ in range(5000):
        guest.request(target="/", headers={"a": "b"})
    assert guest.memory == before


def test_an_import_without_a_grant_is_named(typescript_guest: Path) -> None:
    with pytest.raises(GuestLoadError, match='which needs the grant "clock"'):
        load(typescript_guest, GuestEngine(), Grants(frozenset({"kv", "metrics", "random", "http-client"})))


def test_an_uncaught_exception_is_a_503_and_the_authors_lines_are_in_the_log(
    shared_upstream: Upstream, tmp_path: Path, typescript_guest: Path
) -> None:
    grants = 'grants = ["clock", "http-client", "kv", "metrics", "random"]'
    route = with_one_route(server="", guests="", target=shared_upstream.url, chain='"faults"')
    text = f"{route}\n[guest.faults]\n{grants}\n"
    with sentinel_run(write_config(tmp_path, text, {"faults": typescript_guest})) as gateway:
        assert fetch(gateway.public, "/?throw").status == 503
        gateway.wait_for_log("the author's own")
        assert fetch(gateway.public, "/").status == 200
        assert any("src/index.ts:" in str(line) for line in gateway.guest_lines("faults"))
