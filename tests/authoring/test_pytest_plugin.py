"""`sentinel_host.testing`: guests called hook by hook and in chains, from tests in Python."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from guestbuild.places import GUESTS
from sentinel_host.errors import GuestProtocolError, GuestTrap
from sentinel_host.messages import OutboundRequest, Response
from sentinel_host.pytest_plugin import StartGuest
from sentinel_host.testing import TestedChain, TestedGuest
from sentinel_host.testing.strategies import GeneratedRequest, requests
from tests.support import guests
from tests.support.clocks import PATIENCE

RUST = GUESTS / "rust"
KEYS = {"keys": {"alpha": "ann"}}


def test_a_request_is_answered_or_goes_on(sentinel_guest: StartGuest) -> None:
    guest = sentinel_guest(RUST / "api-key-auth.wasm", config=KEYS)
    refused = guest.request("GET", "/orders")
    assert (refused.action, refused.status) == ("respond", 401)
    passed = guest.request("GET", "/orders?page=2", {"X-Api-Key": "alpha"})
    assert (passed.action, passed.status, passed.header("X-Principal")) == ("continue", None, "ann")
    assert passed.header("x-api-key") is None
    assert (passed.path, passed.query) == ("/orders", "page=2")


def test_keys_clock_metrics_and_context(sentinel_guest: StartGuest) -> None:
    guest = sentinel_guest(
        RUST / "daily-quota.wasm", config={"limit": 2}, kv={"principal bob": (2).to_bytes(8, "little")}
    )
    ann, bob = {"x-principal": "ann"}, {"x-principal": "bob"}
    first = guest.request(headers=ann)
    assert first.calls == (("kv.add", "principal ann", 1),)
    assert guest.descriptions == {"quota_refused": ("counter", "Requests beyond a principal's daily quota.", "", ())}
    assert guest.response().header("x-quota-remaining") == "1"
    assert guest.request(headers=bob).status == 429
    refused = guest.request(headers=bob)
    assert refused.metrics == {"quota_refused": 2.0}
    guest.advance(timedelta(days=1))
    assert guest.request(headers=ann).action == "continue"
    failing = sentinel_guest(RUST / "daily-quota.wasm", config={"limit": 2}, kv_error="full")
    failed = failing.request()
    assert (failed.status, failed.logs) == (503, (("error", "cannot count: the quota is used up"),))


def test_a_service_is_asked_once(sentinel_guest: StartGuest) -> None:
    asked: list[OutboundRequest] = []

    def service(request: OutboundRequest) -> Response | str:
        asked.append(request)
        return Response(200, [], b'{"active":true,"sub":"ann"}')

    guest = sentinel_guest(
        RUST / "token-introspection.wasm", config={"endpoint": "http://auth.test/introspect"}, http=service
    )
    for _ in range(2):
        assert guest.request(headers={"authorization": "Bearer t"}).header("x-principal") == "ann"
    assert [(request.method, request.body) for request in asked] == [("POST", b"token=t")]


def test_bodies_and_completion(sentinel_guest: StartGuest) -> None:
    redactor = sentinel_guest(RUST / "redactor.wasm", config={"words": ["secret"]})
    passed = redactor.response(200, {"content-type": "text/plain"}, b"a secret")
    assert b"secret" not in passed.body
    log = sentinel_guest(RUST / "access-log.wasm")
    ((level, line),) = log.complete(status=502, path="/x").logs
    assert level == "info"
    assert '"status":502' in line


def test_a_clock_with_a_date(sentinel_guest: StartGuest) -> None:
    guest = sentinel_guest(RUST / "daily-quota.wasm", config={"limit": 1}, clock=datetime(2030, 1, 1, tzinfo=UTC))
    assert guest.request().action == "continue"


def test_a_guest_that_fails(sentinel_guest: StartGuest, tmp_path: Path) -> None:
    with pytest.raises(GuestProtocolError, match="keys"):
        sentinel_guest(RUST / "api-key-auth.wasm")
    (tmp_path / "trap.wasm").write_bytes(guests.trapping())
    (tmp_path / "odd.wasm").write_bytes(guests.answering(raw=b"\xc1"))
    trap, odd = sentinel_guest(tmp_path / "trap.wasm"), sentinel_guest(tmp_path / "odd.wasm")
    with pytest.raises(GuestTrap):
        trap.request()
    with pytest.raises(GuestProtocolError):
        odd.request()
    log = sentinel_guest(RUST / "access-log.wasm")
    assert TestedChain(log, trap).request().status == 503
    skipped = TestedChain(log, trap, on_failure_open=["trap"]).request(response=(204, (), b""))
    assert (skipped.status, skipped.origin) == (204, "upstream")


def test_a_chain(sentinel_guest: StartGuest) -> None:
    chain = TestedChain(
        sentinel_guest(RUST / "access-log.wasm"),
        sentinel_guest(RUST / "api-key-auth.wasm", config=KEYS),
        sentinel_guest(RUST / "daily-quota.wasm", config={"limit": 1}),
        sentinel_guest(RUST / "redactor.wasm", config={"words": ["secret"]}),
    )
    text = (200, {"content-type": "text/plain"}, b"a secret")
    refused = chain.request(response=text)
    assert (refused.status, refused.origin, refused.sent) == (401, "guest", None)
    passed = chain.request("GET", "/x?y=1", {"x-api-key": "alpha"}, response=text)
    assert (passed.status, passed.origin, passed.header("x-quota-remaining")) == (200, "upstream", "0")
    assert b"secret" not in passed.body
    assert passed.sent is not None
    assert passed.sent.header("x-principal") == "ann"
    assert (passed.sent.path, passed.sent.query) == ("/x", "y=1")
    assert '"status":200' in passed.logs["access-log"][0][1]
    assert chain.request(headers={"x-api-key": "alpha"}).status == 429


_VALIDATOR = TestedGuest(RUST / "json-validator.wasm")


@settings(max_examples=50, deadline=None)
@given(requests())
def test_any_request_is_judged(request: GeneratedRequest) -> None:
    result = _VALIDATOR.request(*request.arguments)
    assert result.action == "continue" or result.status in (400, 413, 415)


def test_the_fixture_is_there_without_an_import(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(sentinel_guest):\n"
        f"    guest = sentinel_guest({str(RUST / 'redactor.wasm')!r})\n"
        "    assert guest.request('GET', '/').action == 'continue'\n"
    )
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
