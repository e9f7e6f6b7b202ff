"""forward-auth before a service that decides, on a whole gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, answering, running_upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[guest.forward-auth]
deadline = "5s"
grants = ["http-client"]

[guest.forward-auth.config]
address = "SERVICE/check"
auth_response_headers = ["x-user"]
add_auth_cookies_to_response = ["sid"]

[guest.forward-auth.http]
allow = ["SERVICE"]
networks = ["127.0.0.1/32"]
timeout = "60s"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
chain = ["forward-auth"]
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def service() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, service: Upstream
) -> Iterator[GatewayProcess]:
    text = CONFIG.replace("UPSTREAM", upstream.url).replace("SERVICE", service.url)
    guests = {"forward-auth": ARTEFACTS / "rust" / "forward-auth.wasm"}
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), text, guests)) as running:
        yield running


@pytest.fixture(autouse=True)
def forgetful(upstream: Upstream, service: Upstream) -> None:
    upstream.reset()
    service.reset()


def test_the_service_lets_a_request_pass(gateway: GatewayProcess, upstream: Upstream, service: Upstream) -> None:
    service.handler = answering(
        b"HTTP/1.1 204 No Content\r\nx-user: ann\r\nset-cookie: sid=1; HttpOnly\r\nset-cookie: other=2\r\n\r\n"
    )
    headers = {"x-user": "root", "authorization": "Bearer x", "x-forwarded-uri": "/public", "x-original-url": "/public"}
    answer = fetch(gateway.public, "/admin?a=1", method="POST", headers=headers, body=b"secret body")
    assert (answer.status, answer.header("set-cookie")) == (200, "sid=1; HttpOnly")
    (asked,) = service.requests
    assert (asked.line, asked.body) == ("GET /check HTTP/1.1", b"")
    assert asked.values("x-forwarded-uri") == ["/admin?a=1"]
    assert asked.values("x-original-url") == []
    assert asked.values("x-forwarded-method") == ["POST"]
    assert asked.values("x-forwarded-for") == ["127.0.0.1"]
    assert asked.values("authorization") == ["Bearer x"]
    (passed,) = upstream.requests
    assert (passed.values("x-user"), passed.body) == (["ann"], b"secret body")


def test_any_other_answer_is_the_clients(gateway: GatewayProcess, upstream: Upstream, service: Upstream) -> None:
    service.handler = answering(
        b"HTTP/1.1 302 Found\r\nlocation: https://login.test/\r\nset-cookie: a=1\r\ncontent-length: 5\r\n\r\nlogin"
    )
    answer = fetch(gateway.public, "/")
    assert (answer.status, answer.header("location"), answer.body) == (302, "https://login.test/", b"login")
    assert upstream.requests == []


def test_no_request_passes_when_the_service_fails(
    gateway: GatewayProcess, upstream: Upstream, service: Upstream
) -> None:
    service.handler = answering(b"not HTTP at all\r\n\r\n", then_close=True)
    assert fetch(gateway.public, "/", headers={"x-user": "root"}).status == 503
    assert upstream.requests == []
