"""The demo's chain in every mix of languages: access-log, api-key-auth, header-injection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import StartGateway
from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[guest.api-key-auth]
config = {{ keys = {{ "demo-key" = "demo" }} }}

[guest.header-injection.config]
request = {{ set = {{ "x-gateway" = "sentinel" }} }}
response = {{ set = {{ "x-served-by" = "sentinel" }} }}

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log", "api-key-auth", "header-injection"]
"""
KEY = {"x-api-key": "demo-key"}


@pytest.fixture(params=["rust", "assemblyscript"])
def gateway(request: pytest.FixtureRequest, start_anywhere: StartGateway, upstream: Upstream) -> GatewayProcess:
    guests: dict[str, Path] = {
        "access-log": ARTEFACTS / "rust" / "access-log.wasm",
        "api-key-auth": ARTEFACTS / request.param / "api-key-auth.wasm",
        "header-injection": ARTEFACTS / request.param / "header-injection.wasm",
    }
    return start_anywhere(CONFIG.format(upstream=upstream.url), guests)


def test_a_request_without_a_key_never_reaches_the_upstream(gateway: GatewayProcess, upstream: Upstream) -> None:
    answer = fetch(gateway.public)
    assert answer.status == 401
    assert answer.header("www-authenticate") == 'ApiKey realm="sentinel"'
    assert fetch(gateway.public, headers={"x-api-key": "wrong"}).status == 403
    assert upstream.requests == []


def test_a_request_with_a_key_passes_all_guests(gateway: GatewayProcess, upstream: Upstream) -> None:
    answer = fetch(gateway.public, "/a?b=1", headers=KEY | {"x-principal": "root", "x_principal": "root"})
    assert (answer.status, answer.body, answer.header("x-served-by")) == (200, b"hello", "sentinel")
    (received,) = upstream.requests
    assert received.target == "/a?b=1"
    assert received.values("x-gateway") == ["sentinel"]
    assert received.values("x-principal") == ["demo"]
    assert received.values("x_principal") == received.values("x-api-key") == []


def test_every_outcome_is_logged_once(gateway: GatewayProcess, upstream: Upstream) -> None:
    ids = {}
    for path, headers, status in (("/no", {}, 401), ("/wrong", {"x-api-key": "x"}, 403), ("/yes", KEY, 200)):
        answer = fetch(gateway.public, path, headers=headers)
        assert answer.status == status
        ids[answer.header("x-request-id")] = (path, status)
    gateway.wait(lambda: len(gateway.guest_lines("access-log")) >= 3, "three lines of the access log")
    lines = gateway.guest_lines("access-log")
    assert {line["request_id"]: _path_and_status(line["message"]) for line in lines} == ids
    assert len(lines) == 3


def _path_and_status(message: str) -> tuple[str, int]:
    record = json.loads(message)
    return record["path"], record["status"]
