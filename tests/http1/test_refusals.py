"""What clients see of a refusal. Which bytes are refused is in tests/unit/http/h1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinel_host.http.server import ServerLimits
from tests.http1.harness import Worker, echo, run_worker, status_of

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"

SMUGGLED = POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
LARGE = GET + (b"x: " + b"y" * 1000 + b"\r\n") * 60 + b"\r\n"
LONG = b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with run_worker(echo, ServerLimits(body_bytes=1000, linger=0.5)) as server:
        yield server


@pytest.mark.parametrize(("raw", "status"), [(SMUGGLED, 400), (LARGE, 431), (LONG, 414)])
@pytest.mark.parametrize("behind", [b"", b"\r\n\r\n" + GET + b"\r\n"], ids=["alone", "with a request behind"])
def test_head_is_refused_and_the_connection_closed(worker: Worker, raw: bytes, status: int, behind: bytes) -> None:
    entered = worker.connections.requests
    reply = worker.talk(raw + behind)
    assert status_of(reply) == status
    assert b"\r\nconnection: close\r\n" in reply
    assert reply.count(b"HTTP/1.1 ") == 1
    assert worker.connections.requests == entered


def test_malformed_chunk_fails_the_request_and_closes(worker: Worker) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    for raw in (b"+5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nx : 1\r\n\r\n"):
        reply = worker.talk(head, raw)
        assert status_of(reply) == 400
        assert b"\r\nconnection: close\r\n" in reply
        assert reply.count(b"HTTP/1.1 ") == 1


def test_chunked_body_beyond_the_limit_is_413(worker: Worker) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status_of(worker.talk(head + b"200\r\n" + b"x" * 512 + b"\r\n200\r\n")) == 413
    assert worker.connections.limits_hit["body_bytes"] >= 1


@pytest.mark.parametrize("raw", [LARGE, LONG])
def test_same_answer_in_one_write_or_a_hundred(worker: Worker, raw: bytes) -> None:
    """Stock Hypercorn's limit depends on how bytes arrive: a slow sender may send more than a fast
    one.
    """
    step = -(-len(raw) // 100)
    pieces = [raw[n : n + step] for n in range(0, len(raw), step)]
    one, many = worker.talk(raw), worker.talk(*pieces)
    assert one.partition(b"date:")[0] == many.partition(b"date:")[0]
    assert status_of(one) in (431, 414)
