"""What operators see of upstreams, and draining an endpoint; what a worker that dies leaves
behind.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.hotload.failing import TOKEN
from tests.hotload.operating import admin, command
from tests.supervisor.conftest import Start
from tests.supervisor.support import config, exists, kill, wait_until, workers
from tests.support.backends import running_backends
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Upstream, running_upstream

several = pytest.mark.parametrize("count", [1, 2])


@pytest.fixture
def other() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


def two_endpoints(first: Upstream, second: Upstream, count: int) -> str:
    text = config(first.url, workers=count, more=f'admin_token = "{TOKEN}"')
    return text.replace(f'["{first.url}"]', f'["{first.url}", {{ url = "{second.url}", weight = 3 }}]')


def told(gateway: GatewayProcess) -> dict[str, dict[str, Any]]:
    """What the admin side tells of the one upstream's endpoints, by name."""
    (upstream,) = admin(gateway, "/upstreams").json()["upstreams"]
    return {endpoint["name"]: endpoint for endpoint in upstream["endpoints"]}


@several
def test_what_is_told_of_an_upstream(
    upstream: Upstream, other: Upstream, start: Start, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = start(two_endpoints(upstream, other, count))
    assert fetch(gateway.admin, "/upstreams").status == 401
    for _ in range(20):
        fetch(gateway.public)
    answer = admin(gateway, "/upstreams").json()
    assert [(each["name"], each["policy"]) for each in answer["upstreams"]] == [("origin", "least-requests")]
    endpoints = told(gateway)
    for name, server, weight in ((upstream.url, upstream, 1), (other.url, other, 3)):
        endpoint = dict(endpoints[name])
        assert endpoint.pop("latency") > 0
        connections = endpoint.pop("connections")
        assert connections == {"open": server.connections, "idle": server.connections, "waiting": 0, "tunnels": 0}
        assert endpoint == {
            "name": name,
            "weight": weight,
            "state": "serving",
            "ejected_for": 0,
            "ejections": 0,
            "active": 0,
            "requests": len(server.requests),
            "failures": 0,
        }
        assert gateway.metric(f'sentinel_endpoint_requests_total{{target="{name}",upstream="origin"}}') == len(
            server.requests
        )
        labels = f'state="serving",target="{name}",upstream="origin"'
        assert gateway.metric(f"sentinel_endpoint_state{{{labels}}}") == 1
    capsys.readouterr()
    assert command(gateway, "upstreams") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "UPSTREAM", "ENDPOINT", "WEIGHT", "STATE", "ACTIVE", "REQUESTS", "FAILURES", "LATENCY", "CONNECTIONS"
    ]  # fmt: skip
    assert sorted(row.split()[:4] for row in rows) == sorted(
        [["origin", upstream.url, "1", "serving"], ["origin", other.url, "3", "serving"]]
    )
    assert command(gateway, "upstreams", "--json") == 0
    assert json.loads(capsys.readouterr().out)["upstreams"][0]["name"] == "origin"


@several
def test_an_endpoint_that_is_drained_gets_nothing_until_it_is_undrained(
    upstream: Upstream, other: Upstream, start: Start, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = start(two_endpoints(upstream, other, count))
    assert command(gateway, "drain", "origin", other.url) == 0
    assert capsys.readouterr().out == f"upstream origin: {other.url} gets no new requests\n"
    assert (told(gateway)[other.url]["state"], told(gateway)[upstream.url]["state"]) == ("draining", "serving")
    for _ in range(20):
        assert fetch(gateway.public).status == 200
    assert len(other.requests) == 0
    assert command(gateway, "undrain", "origin", other.url) == 0
    assert capsys.readouterr().out == f"upstream origin: {other.url} gets requests\n"
    assert told(gateway)[other.url]["state"] == "serving"
    for _ in range(40):
        fetch(gateway.public)
    assert other.requests


def test_an_unknown_endpoint_cannot_be_drained(
    upstream: Upstream, other: Upstream, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = start(two_endpoints(upstream, other, 1))
    assert command(gateway, "drain", "none", other.url) == 1
    assert capsys.readouterr().err == "sentinel: there is no upstream 'none'; there are: origin\n"
    assert command(gateway, "drain", "origin", "http://127.0.0.1:1") == 1
    names = ", ".join(sorted([upstream.url, other.url]))
    expected = f"sentinel: upstream origin has no endpoint 'http://127.0.0.1:1'; it has: {names}\n"
    assert capsys.readouterr().err == expected
    assert admin(gateway, f"/upstreams/origin/{other.url}/drain").status == 405
    assert fetch(gateway.admin, "/upstreams/origin/x/drain", method="POST").status == 401


def test_what_a_killed_worker_had_under_way_no_longer_counts(start: Start) -> None:
    """Least-requests would take an endpoint for busy for as long as the gateway runs."""
    with running_backends(1) as (backend,), ExitStack() as stack:
        backend.behave("silent")
        text = config(backend.url)
        gateway = start(text.replace("targets", "connections = 1024\ntargets"))
        active = f'sentinel_endpoint_active{{target="{backend.url}",upstream="origin"}}'
        poll = select.poll()
        for _ in range(1000):
            client = stack.enter_context(socket.create_connection(gateway.public))
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            poll.register(client, select.POLLIN)
        gateway.wait_for_metric(active, 1000)
        pid = workers(gateway)[0]
        kill(pid)
        wait_until(lambda: not exists(pid), "its end")
        # Its clients hear of it one by one.
        wait_until(lambda: 0 < len(poll.poll(0)) == 1000 - gateway.metric(active), "the right count")
        assert len(poll.poll(0)) < 1000
