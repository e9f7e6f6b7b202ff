"""The example guests that work on bodies, on a whole gateway: what their tables of cases cannot
show.
"""

from __future__ import annotations

import random
import re

import pytest

from tests.bodies.support import begin
from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream
from tests.support.upstreams import answering as saying

LANGUAGES = ("rust", "assemblyscript")
GUESTS = {
    f"{guest}-{tongue}": ARTEFACTS / tongue / f"{guest}.wasm"
    for guest in ("redactor", "json-validator")
    for tongue in LANGUAGES
}
ROUTES = {f"/{name}": [name] for name in GUESTS} | {
    f"/both-{tongue}": [f"json-validator-{tongue}", f"redactor-{tongue}"] for tongue in LANGUAGES
}
JSON = {"content-type": "application/json"}

in_each_language = pytest.mark.parametrize("tongue", LANGUAGES)


@in_each_language
def test_a_number_across_chunks_is_masked(gateway: GatewayProcess, origin: Upstream, tongue: str) -> None:
    """Chunks of one byte: however the gateway puts them together, the number lies across some."""
    text = b"card 4111111111111111, order 42\n" * 2000
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in text)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
    origin.handler = saying(head + chunks + b"0\r\n\r\n")
    answer = fetch(gateway.public, f"/redactor-{tongue}")
    assert answer.body == text.replace(b"4111111111111111", b"*" * 16)


@in_each_language
def test_long_runs_are_masked_wherever_they_lie(gateway: GatewayProcess, origin: Upstream, tongue: str) -> None:
    """Guests look at many bytes at a time: runs of every length around 13, at all distances."""
    chosen = random.Random(1)
    runs = (str(chosen.randrange(10**13)).encode() * 2 for _ in range(3000))
    text = b"".join(b"x" * chosen.randrange(70) + run[: chosen.randrange(10, 17)] for run in runs)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % len(text)
    origin.handler = saying(head + text)
    answer = fetch(gateway.public, f"/redactor-{tongue}")
    assert answer.body == re.sub(rb"[0-9]{13,}", lambda run: b"*" * len(run[0]), text)


@in_each_language
def test_a_body_that_is_no_text_passes_with_its_length(gateway: GatewayProcess, origin: Upstream, tongue: str) -> None:
    body = b"4111111111111111" * 10_000
    head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n" % len(body)
    origin.handler = saying(head + body)
    answer = fetch(gateway.public, f"/redactor-{tongue}")
    assert answer.body == body
    assert answer.header("content-length") == str(len(body))


@in_each_language
def test_json_that_is_none_never_reaches_the_upstream(gateway: GatewayProcess, origin: Upstream, tongue: str) -> None:
    path = f"/json-validator-{tongue}"
    refused = fetch(gateway.public, path, method="POST", headers=JSON, body=b'{"a" 1}')
    assert (refused.status, refused.json()["offset"]) == (422, 5)
    assert fetch(gateway.public, path, method="POST", headers=JSON).status == 422, "no body is no JSON"
    assert origin.requests == []
    assert fetch(gateway.public, path, method="POST", headers=JSON, body=b'{"a": 1}').status == 200
    assert fetch(gateway.public, path, headers=JSON).status == 200
    assert [request.body for request in origin.requests] == [b'{"a": 1}', b""]


@in_each_language
def test_nothing_is_sent_before_the_whole_body_is_there(gateway: GatewayProcess, origin: Upstream, tongue: str) -> None:
    """A second request overtakes the first, whose body is not whole yet."""
    path = f"/both-{tongue}"
    with begin(gateway, path, b'{"a":', 7, "content-type: application/json") as wire:
        assert fetch(gateway.public, path, method="POST", headers=JSON, body=b"2").status == 200
        wire.send(b"1}")
        assert wire.answer().body == b"hello"
    assert [request.body for request in origin.requests] == [b"2", b'{"a":1}']


@in_each_language
def test_the_answer_of_one_passes_the_other(gateway: GatewayProcess, origin: Upstream, tongue: str) -> None:
    origin.handler = saying(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n[4111111111111111]"
    )
    answer = fetch(gateway.public, f"/both-{tongue}", method="POST", headers=JSON, body=b"{}")
    assert (answer.status, answer.body) == (200, b"[****************]")
    assert fetch(gateway.public, f"/both-{tongue}", method="POST", headers=JSON, body=b"{").status == 422
