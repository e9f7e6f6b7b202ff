"""Which server and which resource a request is for: targets, authorities, and how far it may go."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import StartGateway, only_sentinel
from tests.support.clients import Answer, Wire
from tests.support.configurations import ONE_ORIGIN
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream

CONFIG = (
    ONE_ORIGIN
    + """
[guest.api-key-auth]
config = { keys = { key = "demo" } }

[guest.path-rewrite]
config = { strip_prefix = "/moved" }

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log"]

[[route]]
path = "/moved"
upstream = "origin"
chain = ["access-log", "path-rewrite"]

[[route]]
path = "/keys"
upstream = "origin"
chain = ["api-key-auth"]
methods = ["GET", "OPTIONS"]

[[route]]
path = "/kept"
upstream = "origin"
preserve_host = true

[[route]]
path = "/trailers"
upstream = "origin"
trailers = ["x-checksum"]
"""
)
GUESTS = {name: ARTEFACTS / "rust" / f"{name}.wasm" for name in ("access-log", "api-key-auth", "path-rewrite")}


def ask(gateway: GatewayProcess, line: str, *fields: str, host: str = "a.example") -> Answer:
    """The answer to a request with this request line, without its version."""
    with Wire(gateway.public) as client:
        client.send("".join(f"{each}\r\n" for each in (f"{line} HTTP/1.1", f"Host: {host}", *fields, "")).encode())
        return client.answer()


@only_sentinel
@pytest.mark.parametrize(
    ("target", "sent", "query"),
    [
        ("/p?", "/p?", ""),
        ("/p", "/p", None),
        ("/moved/p?", "/p?", ""),
        ("/moved?", "/?", ""),
        ("http://a.example/p?", "/p?", ""),
        ("http://a.example?", "/?", ""),
        ("/p??", "/p??", "?"),
    ],
)
def test_an_empty_query_is_not_an_absent_one(
    shared_gateway: GatewayProcess, origin: Upstream, target: str, sent: str, query: str | None
) -> None:
    """``/p?`` and ``/p`` may be different resources (RFC 3986 section 6.2.3); both became ``/p``,
    in the log too.
    """
    answer = ask(shared_gateway, f"GET {target}")
    assert answer.status == 200
    assert [received.target for received in origin.requests] == [sent]
    request_id = answer.header("x-request-id") or ""
    line = json.loads(json.loads(shared_gateway.wait_for_log(request_id))["message"])
    assert line.get("query") == query


@only_sentinel
def test_an_upgrade_keeps_its_empty_query(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    ask(shared_gateway, "GET /p?", "Connection: upgrade", "Upgrade: websocket")
    assert [received.target for received in origin.requests] == ["/p?"]
    assert origin.requests[0].values("upgrade") == ["websocket"]


def test_options_of_a_server_by_its_url(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """``OPTIONS http://host`` asks about the server (RFC 9112 section 3.2.4), and was sent on as
    ``OPTIONS /``.
    """
    for target in ("*", "http://a.example", "http://a.example/", "http://a.example?x"):
        assert ask(shared_gateway, f"OPTIONS {target}").status == 200
    assert ask(shared_gateway, "OPTIONS *?x").status == 400
    assert [received.target for received in origin.requests] == ["*", "*", "/", "/?x"]


def test_an_empty_port_is_none(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """``Host: example.org:`` was 400; RFC 3986 section 3.2.3 allows it, and section 6.2.3
    normalises it.
    """
    assert ask(shared_gateway, "GET /kept", host="a.example:").status == 200
    assert ask(shared_gateway, "GET http://a.example:/kept", host="a.example").status == 200
    for received in origin.requests:
        assert received.values("host") == received.values("x-forwarded-host") == ["a.example"]
        assert received.values("forwarded") == ["for=127.0.0.1;host=a.example;proto=http"]


def test_a_name_with_sub_delims_is_quoted_where_it_must_be(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """``Host: 0.0.0.0=5000`` is a reg-name (RFC 3986 section 3.2.2), and was 400. It is no token of
    ``Forwarded``.
    """
    assert ask(shared_gateway, "GET /kept", host="0.0.0.0=5000").status == 200
    (received,) = origin.requests
    assert received.values("host") == ["0.0.0.0=5000"]
    assert received.values("forwarded") == ['for=127.0.0.1;host="0.0.0.0=5000";proto=http']


@pytest.mark.parametrize(
    "host", ["a;for=10.0.0.1", "a,b", "%61.example", "a b", "u@a", "a/b", 'a"', "a\\b", ":80", "a::"]
)
def test_an_ambiguous_host_reaches_no_upstream(shared_gateway: GatewayProcess, origin: Upstream, host: str) -> None:
    assert ask(shared_gateway, "GET /kept", host=host).status == 400
    assert origin.requests == []


def test_a_target_of_another_scheme_is_misdirected(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """RFC 9110 sections 7.4 and 15.5.20: it was 400, which says that no connection would do."""
    assert ask(shared_gateway, "GET https://a.example/").status == 421
    assert ask(shared_gateway, "GET ftp://a.example/").status == 400
    assert origin.requests == []


def test_what_may_go_no_further_is_answered_here(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """RFC 9110 section 7.6.2: ``Max-Forwards: 0`` went on to the upstream. Guests still decide
    first.
    """
    answer = ask(shared_gateway, "OPTIONS /", "Max-Forwards: 0")
    assert (answer.status, answer.header("content-length"), answer.header("allow")) == (200, "0", None)
    assert ask(shared_gateway, "OPTIONS *", "Max-Forwards: 00").status == 200
    assert ask(shared_gateway, "OPTIONS /keys", "Max-Forwards: 0").status == 401
    answer = ask(shared_gateway, "OPTIONS /keys", "Max-Forwards: 0", "X-Api-Key: key", "Connection: max-forwards")
    assert (answer.status, answer.header("allow")) == (200, "GET, OPTIONS")
    assert ask(shared_gateway, "TRACE /", "Max-Forwards: 0").status == 405
    assert ask(shared_gateway, "OPTIONS /", "Max-Forwards: x").status == 400
    assert origin.requests == []


def test_max_forwards_counts_down_where_it_means_something(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    assert ask(shared_gateway, "OPTIONS /", "Max-Forwards: 5").status == 200
    assert ask(shared_gateway, "GET /", "Max-Forwards: 0").status == 200
    assert [received.values("max-forwards") for received in origin.requests] == [["4"], ["0"]]


def test_te_goes_on_where_trailers_do(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """Servers that send trailers only to those who ask for them (RFC 9110 section 6.5.1) never sent
    any.
    """
    ask(shared_gateway, "GET /", "TE: trailers", "Connection: te")
    ask(shared_gateway, "GET /trailers", "TE: gzip;q=0.5, Trailers", "Connection: te")
    ask(shared_gateway, "GET /trailers", "TE: gzip", "Connection: te")
    ask(shared_gateway, "GET /trailers")
    told = [(received.values("te"), received.values("connection")) for received in origin.requests]
    assert told == [([], []), (["trailers"], ["te"]), ([], []), ([], [])]


def test_the_scheme_is_what_a_trusted_proxy_states(start_anywhere: StartGateway, upstream: Upstream) -> None:
    """Only one ``X-Forwarded-Proto`` of one value was understood; all else became http, also on a
    stock server.
    """
    config = CONFIG.replace("UPSTREAM", upstream.url).replace("bind =", 'trusted_proxies = ["127.0.0.0/8"]\nbind =')
    gateway = start_anywhere(config, GUESTS)
    stated = [
        ["X-Forwarded-Proto: wss"],
        ["Forwarded: for=198.51.100.1;proto=https"],
        ["X-Forwarded-Proto: https, https"],
        ["X-Forwarded-Proto: https", "X-Forwarded-Proto: https"],
        ["X-Forwarded-Proto: https", "Forwarded: for=198.51.100.1;proto=https, for=127.0.0.2;proto=http"],
    ]
    for fields in stated:
        assert ask(gateway, "GET /", *fields).status == 200
        assert upstream.requests[-1].values("x-forwarded-proto") == ["https"]
        assert upstream.requests[-1].values("forwarded")[0].endswith("for=127.0.0.1;host=a.example;proto=https")
    upstream.reset()
    for fields in (
        ["X-Forwarded-Proto: https, http"],
        ["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"],
        ["X-Forwarded-Proto: https", "Forwarded: for=198.51.100.1;proto=http"],
        ['Forwarded: for="198.51.100.1'],
    ):
        assert ask(gateway, "GET /", *fields).status == 400
    assert upstream.requests == []
