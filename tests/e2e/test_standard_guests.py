"""The standard guests whose work is on bodies and keys, on a whole gateway of two workers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.support.clients import Answer, Wire, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Received, Upstream, answering, running_upstream

NAMES = ("api-key-auth", "cache", "compress", "token-quota")
TEXT = b"".join(b"line %d of a text that is long enough to be compressed\n" % number for number in range(20_000))
CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = 2
kv_memory = "16MiB"

[guest.api-key-auth.config]
keys = { key-a = "ann", key-b = "bob" }

[guest.cache]
grants = ["kv", "clock"]
kv = "8MiB"
config = { max_body = 900000 }

[guest.compress]
# Tests share the processor, and running time includes waiting for it.
deadline = "5s"

[guest.token-quota]
grants = ["kv", "clock"]
config = { limit = 30, header = "x-tenant" }

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/compress"
upstream = "origin"
chain = ["compress"]

[[route]]
path = "/cache"
upstream = "origin"
chain = ["cache"]

[[route]]
path = "/private"
upstream = "origin"
chain = ["api-key-auth", "cache"]

[[route]]
path = "/tokens"
upstream = "origin"
chain = ["token-quota"]

[[route]]
path = "/both"
upstream = "origin"
chain = ["compress", "cache"]
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, shared: Upstream) -> Iterator[GatewayProcess]:
    guests = {name: ARTEFACTS / "rust" / f"{name}.wasm" for name in NAMES}
    text = CONFIG.replace("UPSTREAM", shared.url)
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), text, guests)) as running:
        yield running


@pytest.fixture
def upstream(shared: Upstream) -> Upstream:
    """The upstream, which has forgotten what it received."""
    shared.reset()
    return shared


def response(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *fields, "", ""]).encode() + body


def decoded(gateway: GatewayProcess, path: str, coding: str) -> tuple[str, bytes]:
    """The head and the body as curl decodes it, which knows the codings by libraries of their
    own.
    """
    command = ["curl", "-s", "-i", "--compressed", "-H", f"accept-encoding: {coding}", gateway.url + path]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE).stdout
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().lower(), body


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
def test_a_large_text_arrives_compressed(gateway: GatewayProcess, upstream: Upstream, coding: str) -> None:
    upstream.handler = answering(response(TEXT, "content-type: text/plain", 'etag: "1"'))
    head, body = decoded(gateway, "/compress", coding)
    assert f"content-encoding: {coding}" in head
    assert 'etag: w/"1"' in head
    assert "vary: accept-encoding" in head
    assert "content-length" not in head
    assert body == TEXT
    raw = fetch(gateway.public, "/compress", headers={"accept-encoding": coding}).body
    assert len(raw) * 4 < len(TEXT)


def test_without_accept_encoding_it_arrives_as_it_is(gateway: GatewayProcess, upstream: Upstream) -> None:
    upstream.handler = answering(response(TEXT, "content-type: text/plain"))
    answer = fetch(gateway.public, "/compress")
    assert answer.body == TEXT
    assert answer.header("content-encoding") is None
    assert answer.header("content-length") == str(len(TEXT))


def test_not_modified_has_the_entity_tag_of_what_was_compressed(gateway: GatewayProcess, upstream: Upstream) -> None:
    upstream.handler = answering(response(b"", "content-type: text/plain", 'etag: "1"', status="304 Not Modified"))
    answer = fetch(gateway.public, "/compress", headers={"accept-encoding": "gzip"})
    assert (answer.status, answer.header("etag"), answer.header("content-encoding")) == (304, 'W/"1"', None)


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_a_stored_response_is_served_by_every_worker(gateway: GatewayProcess, upstream: Upstream, size: int) -> None:
    body = TEXT[:size]
    upstream.handler = answering(response(body, "cache-control: max-age=600", "content-type: text/plain", "x-a: b"))
    path = f"/cache/size-{size}"
    assert "stored" in status_of(fetch(gateway.public, path))
    for _ in range(8):
        answer = fetch(gateway.public, path)
        assert (answer.status, answer.body, answer.header("x-a")) == (200, body, "b")
        assert status_of(answer).startswith("sentinel; hit; ttl=")
    assert len(upstream.requests) == 1


def test_what_one_principal_got_is_not_for_another(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A guest takes the credentials off and names the principal.

    The cache once gave all of them the same page.
    """

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(received.values("x-principal")[0].encode(), "cache-control: max-age=600"))

    upstream.handler = handler
    for key, principal in [("key-a", b"ann"), ("key-b", b"bob"), ("key-a", b"ann")]:
        assert fetch(gateway.public, "/private/page", headers={"x-api-key": key}).body == principal


def test_a_head_is_answered_by_a_stored_get(gateway: GatewayProcess, upstream: Upstream) -> None:
    upstream.handler = answering(response(b"body", "cache-control: max-age=600"))
    fetch(gateway.public, "/cache/head")
    answer = fetch(gateway.public, "/cache/head", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert status_of(answer).startswith("sentinel; hit")


def test_a_body_that_breaks_off_is_asked_for_again(gateway: GatewayProcess, upstream: Upstream) -> None:
    cut = response(b"x" * 100_000, "cache-control: max-age=600")[:-50_000]
    upstream.handler = answering(cut, then_close=True)
    subprocess.run(["curl", "-s", "-o", "/dev/null", f"{gateway.url}/cache/cut"], check=False, timeout=PATIENCE)
    upstream.handler = answering(response(b"whole", "cache-control: max-age=600"))
    assert fetch(gateway.public, "/cache/cut").body == b"whole"


def test_a_stale_response_is_validated(gateway: GatewayProcess, upstream: Upstream) -> None:
    upstream.handler = answering(response(b"body", "cache-control: max-age=0", 'etag: "1"'))
    fetch(gateway.public, "/cache/stale")
    upstream.handler = answering(response(b"", "cache-control: max-age=600", 'etag: "1"', status="304 Not Modified"))
    answer = fetch(gateway.public, "/cache/stale")
    assert (answer.status, answer.body) == (200, b"body")
    assert status_of(answer) == "sentinel; hit; fwd=stale; fwd-status=304"
    assert upstream.requests[-1].values("if-none-match") == ['"1"']
    assert status_of(fetch(gateway.public, "/cache/stale")).startswith("sentinel; hit; ttl=")
    assert len(upstream.requests) == 2


def test_a_change_is_seen_at_once(gateway: GatewayProcess, upstream: Upstream) -> None:
    upstream.handler = answering(response(b"old", "cache-control: max-age=600"))
    fetch(gateway.public, "/cache/changed")
    upstream.handler = answering(response(b"new", "cache-control: max-age=600"))
    fetch(gateway.public, "/cache/changed", method="PUT", body=b"new")
    assert fetch(gateway.public, "/cache/changed").body == b"new"


def test_stored_responses_are_compressed_for_clients_that_accept_it(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    upstream.handler = answering(response(TEXT[:100_000], "cache-control: max-age=600", "content-type: text/plain"))
    for coding in ("gzip", "br", "gzip"):
        head, body = decoded(gateway, "/both", coding)
        assert f"content-encoding: {coding}" in head
        assert body == TEXT[:100_000]
    assert len(upstream.requests) == 1


def test_a_whole_answer_is_charged_after_it_has_gone_out(gateway: GatewayProcess, upstream: Upstream) -> None:
    said = json.dumps({"usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}}).encode()
    upstream.handler = answering(response(said, "content-type: application/json"))
    for left in ("30", "9"):
        answer = ask(gateway, "whole")
        assert (answer.status, answer.body) == (200, said)
        assert answer.header("x-ratelimit-remaining-tokens") == left
    refused = ask(gateway, "whole")
    assert (refused.status, refused.json()["error"]["type"]) == (429, "tokens")
    assert ask(gateway, "another").status == 200
    assert len(upstream.requests) == 3


def test_a_body_of_a_get_chooses_no_response_of_others(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Only its chunks show a body whose length is not said; what the upstream made of it was once
    stored.
    """

    async def echo(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(received.body or b"nothing", "cache-control: max-age=60"))

    upstream.handler = echo
    with Wire(gateway.public) as client:
        client.send(b"GET /cache/fat HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n")
        assert client.answer().body == b"evil"
    headers = {"host": "a"}
    answers = [fetch(gateway.public, "/cache/fat", headers=headers) for _ in range(2)]
    assert [answer.body for answer in answers] == [b"nothing"] * 2
    assert "hit" in status_of(answers[1])
    assert upstream.requests[1].values("content-length") == upstream.requests[1].values("transfer-encoding") == []


def test_a_stream_is_charged(gateway: GatewayProcess, upstream: Upstream) -> None:
    events = [b'data: {"usage":null}\n\n', b'data: {"usage":{"total_tokens":31}}\n\n', b"data: [DONE]\n\n"]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    upstream.handler = answering(head + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in [*events, b""]))
    assert ask(gateway, "stream").body == b"".join(events)
    assert ask(gateway, "stream").status == 429


def test_a_client_that_leaves_has_paid(gateway: GatewayProcess, upstream: Upstream) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    event = b'data: {"a":1}\n\n' * 40
    left = threading.Event()

    async def begin(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        # Until the gateway hangs up.
        await reader.read()
        left.set()

    upstream.handler = begin
    with Wire(gateway.public) as client:
        client.send(b"POST /tokens HTTP/1.1\r\nhost: a\r\nx-tenant: left\r\ncontent-length: 0\r\n\r\n")
        client.head()
        assert client.chunk() == event
        client.reset()
    assert left.wait(PATIENCE)
    assert ask(gateway, "left").status == 429


def ask(gateway: GatewayProcess, tenant: str) -> Answer:
    return fetch(gateway.public, "/tokens", method="POST", headers={"x-tenant": tenant}, body=b"{}")


def status_of(answer: Answer) -> str:
    return answer.header("cache-status") or ""
