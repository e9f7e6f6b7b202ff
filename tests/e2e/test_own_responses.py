"""Routes that ask no upstream: fixed responses and redirects, on every server and protocol."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.conftest import StartGateway, only_sentinel
from tests.http2.peer import Peer, request
from tests.support.clients import Wire, fetch
from tests.support.clocks import wait_until
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[server.paths]
empty_segments = "keep"
encoded_slash = "keep"

[guest.path-rewrite]
config = { strip_prefix = "/old", add_prefix = "/new", upstream = { header = "x-color", map = { blue = "origin" } } }
upstreams = ["origin"]

[guest.api-key-auth]
config = { keys = { "demo-key" = "demo" } }

[guest.header-injection]
config = { response = { set = { "x-injected" = "yes" } } }

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
redirect = { to = "https://{host}{path}{query}" }

[[route]]
path = "/here"
redirect = { to = "{path}/", status = 303 }

[[route]]
path = "//evil.example"
redirect = { to = "{path}/", status = 302 }

[[route]]
path = "/old"
redirect = { to = "{path}{query}", status = 301 }
chain = ["path-rewrite"]

[[route]]
path = "/hello"
respond = { body = "h\u00e9llo", headers = { "cache-control" = "no-store" } }
chain = ["header-injection"]

[[route]]
path = "/nothing"
respond = { status = 204 }

[[route]]
path = "/guarded"
respond = { body = "secret" }
chain = ["api-key-auth"]

[[route]]
path = "/limited"
respond = { body = "few" }
limit = { requests = 1, window = "10m" }

[[route]]
path = "/checked"
respond = { body = "valid" }
chain = ["json-validator", "header-injection"]

[[route]]
path = "/small"
respond = { body = "small" }
chain = ["json-validator"]
body_bytes = "16B"

[[route]]
path = "/down"
respond = { status = 503, body = "down" }
chain = ["path-rewrite"]
"""
GUESTS = {
    name: ARTEFACTS / "rust" / f"{name}.wasm"
    for name in ("path-rewrite", "api-key-auth", "header-injection", "json-validator")
}


@pytest.mark.parametrize(
    ("target", "host", "location"),
    [
        ("/a?b=c", "a.example", "https://a.example/a?b=c"),
        ("/", "A.EXAMPLE:8080", "https://a.example/"),
        ("/%2F%2Fevil.example", "a.example", "https://a.example/%2F%2Fevil.example"),
        ("//evil.net/x", "a.example", "https://a.example//evil.net/x"),
        ("/a?//evil.example", "a.example", "https://a.example/a?//evil.example"),
        ("/a%0d%0ab?c%0d%0a", "a.example", None),
        ("/@evil.example", "a.example", "https://a.example/@evil.example"),
        ("//evil.example", "a.example", "/.//evil.example/"),
        ("/here", "a.example", "/here/"),
        ("/", "", None),
        ("/", ".", None),
        ("/", "a.example@evil.example", None),
        ("/", "a.example/evil", None),
        ("/", "a.example\\evil", None),
        ("/", "evil.example#a.example", None),
    ],
)
def test_redirects(shared_gateway: GatewayProcess, target: str, host: str, location: str | None) -> None:
    with Wire(shared_gateway.public) as wire:
        wire.get(target, host=host)
        answer = wire.answer()
    assert answer.header("location") == location
    assert answer.status == 400 if location is None else answer.status in (302, 303, 308)
    if location is not None:
        assert (answer.body, answer.header("content-length")) == (b"", "0")
        assert answer.header("x-request-id") is not None


def test_a_redirect_is_made_of_what_guests_leave(shared_gateway: GatewayProcess) -> None:
    answer = fetch(shared_gateway.public, "/old/page?a", method="POST", body=b"body")
    assert (answer.status, answer.header("location")) == (301, "/new/page?a")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_a_fixed_response(shared_gateway: GatewayProcess, origin: Upstream, method: str) -> None:
    for _ in range(2):
        answer = fetch(shared_gateway.public, "/hello/you", method=method)
        assert answer.status == 200
        assert answer.body == (b"" if method == "HEAD" else "h\u00e9llo".encode())
        assert answer.header("content-length") == "6"
        assert answer.header("content-type") == "text/plain; charset=utf-8"
        # The response hooks have seen it, once for each request.
        assert answer.values("x-injected") == ["yes"]
        assert answer.values("cache-control") == ["no-store"]
    assert origin.requests == []


def test_a_response_without_a_body(shared_gateway: GatewayProcess) -> None:
    with Wire(shared_gateway.public) as wire:
        for _ in range(2):
            wire.get("/nothing")
            answer = wire.answer()
            assert (answer.status, answer.header("content-length")) == (204, None)


def test_guests_and_limits_run_before(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    assert fetch(shared_gateway.public, "/guarded").status == 401
    assert fetch(shared_gateway.public, "/guarded", headers={"x-api-key": "demo-key"}).body == b"secret"
    answers = [fetch(shared_gateway.public, "/limited") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[0].header("ratelimit") is not None
    assert origin.requests == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/checked", b'{"a": 1}', 200),
        ("/checked", b"{", 422),
        ("/small", b"{}", 200),
        ("/small", b"[" + b" " * 20, 413),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_guests_that_ask_for_the_body_see_it(
    shared_gateway: GatewayProcess, path: str, body: bytes, status: int, chunked: bool
) -> None:
    sent = iter([body[:1], body[1:]]) if chunked else body
    headers = {"content-type": "application/json"}
    assert fetch(shared_gateway.public, path, method="POST", headers=headers, body=sent).status == status


def test_a_guest_that_chooses_an_upstream_wins(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    assert fetch(shared_gateway.public, "/down").status == 503
    answer = fetch(shared_gateway.public, "/down", headers={"x-color": "blue"})
    assert (answer.status, answer.body) == (200, b"hello")
    assert len(origin.requests) == 1


def test_a_request_for_an_upgrade_is_answered_too(shared_gateway: GatewayProcess) -> None:
    with Wire(shared_gateway.public) as wire:
        fields = ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
        wire.get("/hello", *fields, "Sec-WebSocket-Version: 13")
        assert wire.head().status in (200, 403)


@only_sentinel
def test_over_http_2(shared_gateway: GatewayProcess) -> None:
    with Peer(socket.create_connection(shared_gateway.public)) as peer:
        answer = peer.get(1, b"/a?b=c")
        assert (answer.status, answer.heads[0][b"location"]) == (308, b"https://a.example/a?b=c")
        answer = peer.get(3, b"/hello")
        assert (answer.status, answer.body, answer.heads[0][b"content-length"]) == (200, "h\u00e9llo".encode(), b"6")
        peer.send(peer.headers(5, request(b"HEAD", b"/hello"), end=True))
        answer = peer.answer(5)
        assert (answer.status, answer.body, answer.heads[0][b"content-length"]) == (200, b"", b"6")


@only_sentinel
def test_they_are_counted(shared_gateway: GatewayProcess) -> None:
    fetch(shared_gateway.public, "/nothing")
    assert shared_gateway.metric('sentinel_requests_total{route="/nothing",status="204"}') >= 1


def test_from_http_to_https(start_anywhere: StartGateway) -> None:
    gateway = start_anywhere(
        """
        [server]
        bind = ["127.0.0.1:0"]
        trusted_proxies = ["127.0.0.1"]

        [[route]]
        name = "to-https"
        path = "/"
        scheme = "http"
        redirect = { to = "https://{host}{path}{query}" }

        [[route]]
        path = "/"
        respond = { body = "root" }

        [[route]]
        path = "/api"
        respond = { body = "api" }
        """
    )
    for path, body in (("/", b"root"), ("/api?a", b"api")):
        answer = fetch(gateway.public, path)
        assert (answer.status, answer.header("location")) == (308, f"https://127.0.0.1{path}")
        assert fetch(gateway.public, path, headers={"x-forwarded-proto": "https"}).body == body


def test_a_file_is_watched(start_sentinel: StartGateway, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("first")
    gateway = start_sentinel(
        """
        [server]
        bind = ["127.0.0.1:0"]

        [[route]]
        path = "/"
        respond = { file = "page.html" }
        """
    )
    answer = fetch(gateway.public)
    assert (answer.body, answer.header("content-type")) == (b"first", "text/html; charset=utf-8")
    (tmp_path / "next").write_text("second")
    (tmp_path / "next").rename(page)
    wait_until(lambda: fetch(gateway.public).body == b"second", "reload of the file")
