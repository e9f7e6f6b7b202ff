"""The rules of request heads, without a connection. Whole heads over sockets are in tests/http1."""

from __future__ import annotations

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.http.h1.head import CHUNKED, framing, refusal
from sentinel_host.http.h1.llhttp import parse_head
from sentinel_host.http.methods import METHODS
from sentinel_host.http.server.limit_exceeded import LimitExceeded

HOST = (b"host", b"a")


@pytest.mark.parametrize(
    ("fields", "http11", "expected"),
    [
        ([HOST], True, (0, False, False)),
        ([], False, (0, True, False)),
        ([(b"connection", b"Keep-Alive")], False, (0, False, False)),
        ([HOST, (b"connection", b"keep-alive, close")], True, (0, True, False)),
        ([HOST, (b"connection", b"x"), (b"connection", b"CLOSE")], True, (0, True, False)),
        ([HOST, (b"connection", b"close"), (b"connection", b"keep-alive")], True, (0, True, False)),
        ([HOST, (b"connection", b"keep-alive"), (b"connection", b"close")], True, (0, True, False)),
        (
            [HOST, (b"connection", b"x, close"), (b"connection", b"y"), (b"connection", b"keep-alive")],
            True,
            (0, True, False),
        ),
        ([(b"connection", b"close"), (b"connection", b"keep-alive")], False, (0, True, False)),
        ([(b"connection", b"keep-alive"), (b"connection", b"close")], False, (0, True, False)),
        ([(b"connection", b"close, keep-alive")], False, (0, True, False)),
        ([(b"connection", b"x"), (b"connection", b"keep-alive"), (b"connection", b"y")], False, (0, False, False)),
        ([HOST, (b"content-length", b"0")], True, (0, False, False)),
        ([HOST, (b"content-length", b"007")], True, (7, False, False)),
        ([HOST, (b"transfer-encoding", b"Chunked")], True, (CHUNKED, False, False)),
        ([HOST, (b"content-length", b"1"), (b"expect", b"100-Continue")], True, (1, False, True)),
        ([HOST, (b"expect", b"100-continue")], True, (0, False, False)),
        ([HOST, (b"content-length", b"1"), (b"expect", b"100-continue")], False, (1, True, False)),
    ],
)
def test_framing(fields: list[tuple[bytes, bytes]], http11: bool, expected: tuple[int, bool, bool]) -> None:
    assert framing(fields, http11) == expected


@pytest.mark.parametrize("method", METHODS)
def test_every_accepted_method_is_one_that_llhttp_parses(method: bytes) -> None:
    head = parse_head(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n", True)
    assert (head.target, head.headers) == (b"/", [HOST])


def test_nothing_is_said_before_it_is_certain() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nx: y\r\n\r\n"
    assert all(refusal(head[:cut], 100, 10) is None for cut in range(len(head)))


def test_limits_are_named() -> None:
    for data, limit in (
        (b"G" * 50, "head_bytes"),
        (b"GET / HTTP/1.1\r\n" + b"x" * 50, "head_bytes"),
        (b"GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\n\r\n", "header_count"),
    ):
        error = refusal(data, 50, 2)
        assert isinstance(error, LimitExceeded)
        assert error.limit == limit


def test_what_llhttp_alone_refuses_is_refused() -> None:
    with pytest.raises(ClientError, match="malformed request"):
        parse_head(b"GET foo HTTP/1.1\r\nHost: a\r\n\r\n", True)
