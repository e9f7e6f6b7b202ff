"""Guests in Python in a gateway: two of them side by side, one of them replaced under load, and a
failure's answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestbuild.places import GUESTS
from sentinel_host.authoring.loading import load
from sentinel_host.sandbox import GuestEngine
from sentinel_host.sandbox.grants import ALL
from tests.hotload.configuration import with_one_route
from tests.hotload.versions import VersionLoad, config, echo_version, put, running, wait_for_version
from tests.support.clients import fetch
from tests.support.gateways import sentinel_run, write_config
from tests.support.modules import with_custom
from tests.support.upstreams import Upstream, running_upstream

# A call is interrupted where other work takes the processor: that time counts.
PATIENT = 'deadline = "10s"'
MARKS = f"""
[guest.redactor]
{PATIENT}
[guest.g]
{PATIENT}
[guest.g.config]
request = {{ set = {{ x-asked = "1" }} }}
response = {{ set = {{ x-answered = "1" }} }}
"""


def compile_ahead(file: Path, data: bytes) -> None:
    """Into the tests' cache: on a busy machine a gateway would take minutes until it listens."""
    file.write_bytes(data)
    load(file, GuestEngine(), ALL)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as echoing:
        yield echoing


def test_two_guests_side_by_side_and_one_is_replaced_under_load(upstream: Upstream, tmp_path: Path) -> None:
    upstream.handler = echo_version
    # The same guest in two files. As a component, whose sections may stand anywhere.
    first = (GUESTS / "python" / "header-injection.wasm").read_bytes()
    second = with_custom(first, b"2")
    guests = {"g": first, "redactor": (GUESTS / "python" / "redactor.wasm").read_bytes()}
    for number, data in enumerate((first, second, guests["redactor"])):
        compile_ahead(tmp_path / f"{number}.wasm", data)
    text = config(upstream, chain='"redactor", "g"', more=MARKS)
    with running(tmp_path, text, guests) as gateway, VersionLoad(gateway) as load:
        load.wait_for(10)
        put(gateway, second)
        wait_for_version(gateway, second)
        load.wait_for(10)
        answer = fetch(gateway.public, headers={"accept-encoding": "gzip"})
        assert (answer.status, answer.body) == (200, b"1")
    assert load.failed == []
    assert hashlib.sha256(first).digest() != hashlib.sha256(second).digest()
    assert upstream.requests[-1].values("accept-encoding") == ["identity"]


def test_an_uncaught_exception_is_a_503_and_the_authors_lines_are_in_the_log(
    upstream: Upstream, tmp_path: Path, python_guest: Path
) -> None:
    grants = 'grants = ["clock", "http-client", "kv", "metrics", "random"]'
    text = (
        with_one_route(server="", guests="", target=upstream.url, chain='"faults"')
        + f"\n[guest.faults]\n{PATIENT}\n{grants}\n"
    )
    compile_ahead(tmp_path / "faults.wasm", python_guest.read_bytes())
    with sentinel_run(write_config(tmp_path, text, {"faults": python_guest})) as gateway:
        assert fetch(gateway.public, "/?raise").status == 503
        gateway.wait_for_log("RuntimeError: the author's own")
        assert fetch(gateway.public, "/").status == 200
        (line,) = [line for line in gateway.guest_lines("faults") if "RuntimeError: the author's" in line["message"]]
    assert "    self.deeper()" in line["message"]
