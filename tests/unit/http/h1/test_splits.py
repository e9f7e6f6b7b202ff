"""However a byte stream is cut into reads, the connection makes the same of it."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_host.http.server import ServerLimits
from tests.unit.http.h1.driver import Driver

GET = b"GET /a?b=%20 HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\n"

STREAMS = {
    "get": GET + b"\r\n",
    "fields": GET + b"X-Empty:\r\nX-Space: \t a b \t\r\nx-obs: \xe9\r\nZ:1\r\n\r\n",
    "empty line first": b"\r\n" + GET + b"\r\n",
    "1.0": b"GET / HTTP/1.0\r\n\r\n",
    "1.0 kept alive": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2,
    "1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n" * 2,
    "1.2 after an empty line": b"\r\nGET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "1.2 refused": b"GET / HTTP/1.2\r\nHost: a\nx: y\r\n\r\n",
    "absolute": b"GET http://a:80/b?c HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "upgrade": GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + GET + b"\r\n",
    "pipelined": (GET + b"\r\n") * 3,
    "length": POST + b"Content-Length: 5\r\n\r\nhello" + GET + b"\r\n",
    "length of nothing": POST + b"Content-Length: 0\r\n\r\n" + GET + b"\r\n",
    "chunked": POST + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n \r\n00\r\n\r\n" + GET + b"\r\n",
    "trailers": POST + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1 \r\ny:\r\n\r\n" + GET + b"\r\n",
    "closing": POST + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi" + GET + b"\r\n",
    "proxy-connection": GET + b"Proxy-Connection: close\r\n\r\n" + GET + b"\r\n",
    "bare LF": b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    "LF ends the head": GET + b"\n" + GET + b"\r\n",
    "LF only": b"GET / HTTP/1.1\nHost: a\n\n",
    "folded": GET + b"x: 1\r\n 2\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "gzip": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "version": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "the preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "almost the preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
    "method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "too many fields": GET + b"x: 1\r\n" * 8 + b"\r\n",
    "too large": GET + b"x: " + b"y" * 200 + b"\r\n\r\n",
    "target too long": b"GET /" + b"y" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "too large and then malformed": GET + b"x: " + b"y" * 200 + b"\r\nz\n\n",
    "malformed and then too large": GET + b"z\n\n" + b"y" * 300,
    "body too large": POST + b"Content-Length: 51\r\n\r\n" + b"x" * 51,
    "chunks too large": POST + b"Transfer-Encoding: chunked\r\n\r\n20\r\n" + b"x" * 32 + b"\r\n20\r\n",
    "bad chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloo\r\n0\r\n\r\n",
    "bad size": POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "bad trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nx\r\n\r\n",
}


def outcome(pieces: list[bytes]) -> tuple[Any, ...]:
    """What the application saw, what was sent, how the connection ended, what was counted."""
    limits = ServerLimits(head_bytes=160, header_count=8, body_bytes=50, pipelined_requests=50)
    driver = Driver(limits, upgradable=True, answers=True)
    for piece in pieces:
        if not driver.over:
            driver.receive(piece)
    # What has come after the last request decides between these two, and so does the cut.
    log = ["end" if each in ("close", "linger") else each for each in driver.log]
    return log, driver.sent, driver.hits


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_every_split_has_the_same_outcome(stream: bytes) -> None:
    whole = outcome([stream])
    assert whole[0], "neither a request nor a refusal"
    for cut in range(1, len(stream)):
        assert outcome([stream[:cut], stream[cut:]]) == whole, f"cut at {cut}"
        assert outcome([stream[:cut], stream[cut : cut + 1], stream[cut + 1 :]]) == whole, f"cut at {cut} and after it"
    assert outcome([stream[n : n + 1] for n in range(len(stream))]) == whole, "byte by byte"


def test_fields_arrive_lower_case_and_stripped() -> None:
    log, *_ = outcome([STREAMS["fields"]])
    fields = [(b"host", b"a"), (b"x-empty", b""), (b"x-space", b"a b"), (b"x-obs", b"\xe9"), (b"z", b"1")]
    assert log == [("GET", b"/a?b=%20", "1.1", fields)]


def test_trailers_are_a_list_of_their_own() -> None:
    log, *_ = outcome([STREAMS["trailers"]])
    assert log[1] == (b"hello", [(b"x-sum", b"1"), (b"y", b"")])
    assert b"x-sum" not in dict(log[0][3])
