"""Limits on routes: before the guests and after them, told to clients and seen by guests."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from guestbuild.places import GUESTS
from tests.e2e.conftest import StartGateway
from tests.supervisor.support import wait_until
from tests.support.clients import Wire, fetch
from tests.support.upstreams import Upstream

BASE = """
[server]
bind = ["127.0.0.1:0"]
{server}

[guest.api-key-auth]
config = {{ keys = {{ "key-a" = "alice", "key-b" = "bob" }} }}

[guest.header-injection.config]
request = {{ set = {{ "x-plan" = "gold" }} }}

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/"
upstream = "origin"
{route}
"""
RUST = {name: GUESTS / "rust" / f"{name}.wasm" for name in ("access-log", "api-key-auth", "header-injection")}


def config(upstream: Upstream, route: str, server: str = "") -> str:
    return BASE.format(upstream=upstream.url, route=route, server=server)


def test_a_client_gets_so_many_requests_and_is_told(start_anywhere: StartGateway, upstream: Upstream) -> None:
    gateway = start_anywhere(config(upstream, 'limit = { requests = 3, window = "1m", name = "per-client" }'))
    answers = [fetch(gateway.public) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.header("ratelimit-policy") for answer in answers] == ['"per-client";q=3;w=60'] * 5
    remaining = [(answer.header("ratelimit") or "").split(";")[1] for answer in answers]
    assert remaining == ["r=2", "r=1", "r=0", "r=0", "r=0"]
    assert 1 <= int(answers[3].header("retry-after") or 0) <= 60
    assert answers[0].header("retry-after") is None
    assert len(upstream.requests) == 3


def test_a_refused_request_is_in_the_access_log(start_anywhere: StartGateway, upstream: Upstream) -> None:
    route = 'limit = { requests = 1, window = "1m" }\nchain = ["access-log", "api-key-auth"]'
    gateway = start_anywhere(config(upstream, route), {name: RUST[name] for name in ("access-log", "api-key-auth")})
    assert fetch(gateway.public).status == 401
    assert fetch(gateway.public).status == 429
    gateway.wait(lambda: len(gateway.guest_lines("access-log")) == 2, "two lines")
    messages = [json.loads(line["message"]) for line in gateway.guest_lines("access-log")]
    assert [message["status"] for message in messages] == [401, 429]


def test_refusals_are_told_counted_and_logged_and_keep_the_connection(
    start_sentinel: StartGateway, upstream: Upstream
) -> None:
    """Also of requests without an answer's body, and with a body that nobody reads."""
    server = 'admin = "127.0.0.1:0"\n[access_log]\nto = "access.log"\nfields = ["method", "path", "status", "route"]'
    gateway = start_sentinel(config(upstream, 'limit = { requests = 1, window = "1m" }', server))
    body = b'{"error": "Too Many Requests"}'
    with Wire(gateway.public) as wire:
        wire.get("/first")
        assert wire.answer().status == 200
        for method, content in (("GET", b""), ("HEAD", b""), ("POST", b"0123456789"), ("OPTIONS", b"")):
            length = b"Content-Length: %d\r\n" % len(content) if content else b""
            wire.send(b"%s /over HTTP/1.1\r\nHost: a\r\n%s\r\n%s" % (method.encode(), length, content))
            answer = wire.answer(method)
            assert (answer.status, answer.body) == (429, b"" if method == "HEAD" else body)
            assert answer.header("content-length") == str(len(body))
            assert len(answer.header("x-request-id") or "") == 32
            assert answer.header("ratelimit-policy") == '"default";q=1;w=60'
            assert answer.header("connection") is None
    gateway.wait_for_metric('sentinel_requests_total{route="/",status="429"}', 4)
    log = gateway.folder / "access.log"
    wait_until(lambda: log.exists() and log.read_text().count("\n") == 5, "five lines")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {(line["path"], line["status"], line["route"]) for line in lines[1:]} == {("/over", 429, "/")}
    assert [line["method"] for line in lines] == ["GET", "GET", "HEAD", "POST", "OPTIONS"]


def test_a_limit_by_what_a_guest_set(start_anywhere: StartGateway, upstream: Upstream) -> None:
    """Each principal has its own count, and a request without one is refused before it is
    counted.
    """
    route = 'limit = { requests = 2, window = "1m", key = "guest:x-principal" }\nchain = ["api-key-auth"]'
    gateway = start_anywhere(config(upstream, route), {"api-key-auth": RUST["api-key-auth"]})

    def ask(key: str) -> int:
        return fetch(gateway.public, headers={"x-api-key": key, "x-principal": "mallory"}).status

    assert [ask("wrong") for _ in range(3)] == [403] * 3
    assert [ask("key-a") for _ in range(3)] == [200, 200, 429]
    assert [ask("key-b") for _ in range(3)] == [200, 200, 429]


def test_a_plan_that_a_guest_names(start_anywhere: StartGateway, upstream: Upstream) -> None:
    route = 'chain = ["header-injection"]\n[[route.limits]]\nrequests = 1\nwindow = "1m"\nplan_header = "x-plan"\n'
    route += "plans = { gold = 3 }"
    gateway = start_anywhere(config(upstream, route), {"header-injection": RUST["header-injection"]})
    assert [fetch(gateway.public).status for _ in range(4)] == [200, 200, 200, 429]


def test_the_strictest_of_several_answers(start_anywhere: StartGateway, upstream: Upstream) -> None:
    route = """
    [[route.limits]]
    name = "client"
    requests = 10
    window = "1m"
    [[route.limits]]
    name = "tenant"
    requests = 1
    window = "1m"
    key = ["header:x-tenant", "route"]
    """
    gateway = start_anywhere(config(upstream, route))
    ask = [fetch(gateway.public, headers={"x-tenant": tenant}) for tenant in ("a", "a", "b")]
    assert [answer.status for answer in ask] == [200, 429, 200]
    assert ask[1].header("ratelimit-policy") == '"client";q=10;w=60, "tenant";q=1;w=60'


def test_shadow_counts_and_does_not_refuse(start_sentinel: StartGateway, upstream: Upstream) -> None:
    route = 'limit = { requests = 1, window = "1m", shadow = true }'
    gateway = start_sentinel(config(upstream, route, 'admin = "127.0.0.1:0"'))
    answers = [fetch(gateway.public) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[2].header("ratelimit") is None
    gateway.wait_for_metric('sentinel_limit_checks_total{limit="default",route="/",verdict="shadowed"}', 2)


def test_workers_share_the_counters(start_sentinel: StartGateway, upstream: Upstream) -> None:
    """Ten times as many requests as allowed, over connections that spread over four workers:
    exactly 20 pass.
    """
    route = 'limit = { requests = 20, window = "10m" }'
    gateway = start_sentinel(config(upstream, route, 'workers = 4\nadmin = "127.0.0.1:0"'))
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: fetch(gateway.public).status, range(200)))
    assert statuses.count(200) == 20
    assert statuses.count(429) == 180
    gateway.wait_for_metric('sentinel_limit_checks_total{limit="default",route="/",verdict="refused"}', 180)


def test_the_older_header_form(start_sentinel: StartGateway, upstream: Upstream) -> None:
    route = 'limit = { requests = 2, window = "1m", algorithm = "leaky-bucket" }'
    gateway = start_sentinel(config(upstream, route, 'limit_headers = "legacy"'))
    answer = fetch(gateway.public)
    assert (answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")) == ("2", "1")
    assert answer.header("ratelimit-policy") is None


def test_guests_see_the_state_in_their_response_hook(start_sentinel: StartGateway, upstream: Upstream) -> None:
    """A guest that removes the fields proves that they were there when it ran."""
    text = config(upstream, 'limit = { requests = 2, window = "1m" }\nchain = ["header-injection"]').replace(
        'request = { set = { "x-plan" = "gold" } }', 'response = { remove = ["ratelimit"] }'
    )
    gateway = start_sentinel(text, {"header-injection": RUST["header-injection"]})
    answer = fetch(gateway.public)
    assert answer.header("ratelimit") is None
    assert answer.header("ratelimit-policy") is not None


def test_a_client_cannot_pass_for_others_by_a_forged_address(start_sentinel: StartGateway, upstream: Upstream) -> None:
    gateway = start_sentinel(config(upstream, 'limit = { requests = 1, window = "1m" }'))
    assert [fetch(gateway.public, headers={"x-forwarded-for": f"10.0.0.{n}"}).status for n in range(2)] == [200, 429]


def test_behind_a_trusted_proxy_clients_are_told_apart(start_sentinel: StartGateway, upstream: Upstream) -> None:
    gateway = start_sentinel(
        config(upstream, 'limit = { requests = 1, window = "1m" }', 'trusted_proxies = ["127.0.0.1"]')
    )
    hops = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
    statuses = [fetch(gateway.public, headers={"x-forwarded-for": hop}).status for hop in hops]
    assert statuses == [200, 429, 200, 200, 429, 200]
