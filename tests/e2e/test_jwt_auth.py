"""jwt-auth before an issuer that rotates its keys, on a whole gateway of two workers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config
from tests.support.tokens import PrivateKey, jwk, signed
from tests.support.upstreams import Upstream, answering, running_upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = 2

[guest.jwt-auth]
deadline = "5s"
grants = ["http-client", "kv", "clock"]
instances = 8
config = { jwks_uri = "ISSUER/keys", issuers = ["test"], jwks_refresh = 3600, jwks_cache = 3600 }

[guest.jwt-auth.http]
allow = ["ISSUER"]
networks = ["127.0.0.1/32"]
timeout = "60s"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
chain = ["jwt-auth"]
"""

FIRST, SECOND, STRANGER = (ed25519.Ed25519PrivateKey.generate() for _ in range(3))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
def issuer() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, issuer: Upstream) -> Iterator[GatewayProcess]:
    text = CONFIG.replace("UPSTREAM", upstream.url).replace("ISSUER", issuer.url)
    guests = {"jwt-auth": ARTEFACTS / "rust" / "jwt-auth.wasm"}
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), text, guests)) as running:
        yield running


def publish(issuer: Upstream, *keys: dict[str, str]) -> None:
    body = json.dumps({"keys": keys}).encode()
    issuer.handler = answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


def ask(gateway: GatewayProcess, algorithm: str, key: PrivateKey, kid: str, lifetime: float = 60) -> int:
    token = signed(algorithm, key, {"iss": "test", "sub": "ann", "exp": time.time() + lifetime}, kid=kid)
    return fetch(gateway.public, "/", headers={"authorization": f"Bearer {token}", "x-principal": "root"}).status


def test_keys_are_fetched_once_and_again_when_they_are_rotated(
    gateway: GatewayProcess, upstream: Upstream, issuer: Upstream
) -> None:
    publish(issuer, jwk(FIRST, kid="1"))
    assert ask(gateway, "EdDSA", FIRST, "1") == 200
    assert [ask(gateway, "EdDSA", FIRST, "1") for _ in range(20)] == [200] * 20
    assert len(issuer.requests) == 1
    assert {tuple(request.values("x-principal")) for request in upstream.requests} == {("ann",)}

    publish(issuer, jwk(FIRST, kid="1"), jwk(SECOND, kid="2"))
    assert [ask(gateway, "EdDSA", SECOND, "2") for _ in range(20)] == [200] * 20
    assert ask(gateway, "EdDSA", FIRST, "1") == 200
    assert len(issuer.requests) == 2

    # Names that anybody can make up: no worker asks again before `jwks_refresh` is over.
    assert [ask(gateway, "EdDSA", STRANGER, f"made-up-{number}") for number in range(20)] == [401] * 20
    assert len(issuer.requests) == 2
    assert ask(gateway, "EdDSA", STRANGER, "1") == 401


def test_each_kind_of_key(gateway: GatewayProcess, issuer: Upstream) -> None:
    keys: dict[str, PrivateKey] = {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": FIRST,
    }
    publish(issuer, *(jwk(key, kid=name) for name, key in keys.items()))
    for name, key in keys.items():
        assert ask(gateway, name, key, name) == 200
        assert ask(gateway, name, key, name, lifetime=-120) == 401
    assert ask(gateway, "PS256", keys["RS256"], "RS256") == 200
    assert ask(gateway, "HS256", jwk(keys["RS256"])["n"].encode(), "RS256") == 401


def test_no_request_passes_while_there_are_no_keys(
    gateway: GatewayProcess, upstream: Upstream, issuer: Upstream
) -> None:
    issuer.handler = answering(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
    assert ask(gateway, "EdDSA", FIRST, "1") == 503
    assert upstream.requests == []
    gateway.wait_for_log("jwks_uri: the answer's status is 500")
