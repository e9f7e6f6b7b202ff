"""What a connection refuses by itself: raw bytes in, a status out, and no byte after it is a
request.
"""

from __future__ import annotations

import pytest

from sentinel_host.http.server import ServerLimits
from tests.unit.http.h1.driver import Driver

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
MANY = b"".join(b"x-%d: 1\r\n" % n for n in range(100))
LIMITS = ServerLimits(body_bytes=1000)

HEADS = {
    # framing that two parsers could read differently
    "length and chunked": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    "two equal lengths": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "length list": (POST + b"Content-Length: 5,5\r\n\r\nhello", 400),
    "length with sign": (POST + b"Content-Length: +5\r\n\r\nhello", 400),
    "negative length": (POST + b"Content-Length: -5\r\n\r\nhello", 400),
    "hex length": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "length with a space inside": (POST + b"Content-Length: 5 5\r\n\r\nhello", 400),
    "length with underscore": (POST + b"Content-Length: 1_0\r\n\r\nhello", 400),
    "empty length": (POST + b"Content-Length:\r\n\r\n", 400),
    "length beyond 64 bits": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    "length of other digits": (POST + b"Content-Length: \xd9\xa5\r\n\r\nhello", 400),
    "chunked on 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "gzip then chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked then gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "chunked twice in one": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked after identity": (
        POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "quoted chunked": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 400),
    "chunked with parameter": (POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400),
    "empty coding": (POST + b"Transfer-Encoding:\r\n\r\n", 400),
    "chunked after a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    # lines
    "bare LF after request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "bare LF after field": (b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare LF ends the head": (GET + b"\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "bare CR in value": (GET + b"x: a\rb\r\n\r\n", 400),
    "bare CR ends a field": (GET + b"x: a\rTransfer-Encoding: chunked\r\n\r\n", 400),
    "CR CR LF": (GET + b"x: a\r\r\n\r\n", 400),
    "folded field": (GET + b"x: a\r\n b\r\n\r\n", 400),
    "folded field with a tab": (GET + b"x: a\r\n\tb\r\n\r\n", 400),
    "first field folded": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "NUL in value": (GET + b"x: a\x00b\r\n\r\n", 400),
    "control in value": (GET + b"x: a\x01b\r\n\r\n", 400),
    "delete in value": (GET + b"x: a\x7fb\r\n\r\n", 400),
    "space before colon": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 400),
    "tab before colon": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400),
    "name with a space": (GET + b"x y: 1\r\n\r\n", 400),
    "empty name": (GET + b": 1\r\n\r\n", 400),
    "no colon": (GET + b"nothing\r\n\r\n", 400),
    "non-ASCII name": (GET + b"x\xe9: 1\r\n\r\n", 400),
    "name with a slash": (GET + b"x/y: 1\r\n\r\n", 400),
    "NUL in name": (GET + b"x\x00y: 1\r\n\r\n", 400),
    # the request line
    "two empty lines first": (b"\r\n\r\n" + GET + b"\r\n", 400),
    "empty line of LF first": (b"\n" + GET + b"\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n", 400),
    "HTTP/0.9 in full": (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    "HTTP/1.10": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 505),
    "unknown method of a later version": (b"BREW / HTTP/1.2\r\nHost: a\r\n\r\n", 501),
    "no host in a later version": (b"GET / HTTP/1.2\r\n\r\n", 400),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/11.1": (b"GET / HTTP/11.1\r\nHost: a\r\n\r\n", 505),
    "lower-case http": (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    "RTSP": (b"OPTIONS / RTSP/1.0\r\nHost: a\r\n\r\n", 400),
    "ICE": (b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n", 400),
    "ICE's method": (b"SOURCE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "RTSP's method": (b"SETUP / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "two spaces before target": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two spaces after target": (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "tab for a space": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "trailing space": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    "leading space": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "space in target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "fragment": (b"GET /#top HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "non-ASCII target": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "NUL in target": (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "delete in target": (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CR in target": (b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "method of no token": (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "lower-case method": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501),
    "TLS on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
    # Host and Expect
    "no host": (b"GET / HTTP/1.1\r\nx: 1\r\n\r\n", 400),
    "no field at all": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "two hosts on 1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "another expectation": (POST + b"Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", 417),
    # sizes
    "101 fields": (GET + MANY + b"\r\n", 431),
    "60 KiB of fields": (GET + (b"x: " + b"y" * 1000 + b"\r\n") * 60 + b"\r\n", 431),
    "one field of 60 KiB": (GET + b"x: " + b"y" * 60_000 + b"\r\n\r\n", 431),
    "target of 40 KiB": (b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "declared body too large": (POST + b"Content-Length: 1001\r\n\r\n", 413),
}

CHUNKS = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "size with sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "space after size": b"5 \r\nhello\r\n0\r\n\r\n",
    "space before size": b" 5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "bare LF after size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR after size": b"5\rhello\r\n0\r\n\r\n",
    "bare LF in extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "bare CR in extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "extension without name": b"5;\r\nhello\r\n0\r\n\r\n",
    "extension with control": b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
    "unclosed quoted extension": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "extension of 10 KiB": b"5;" + b"a" * 10_000 + b"\r\nhello\r\n0\r\n\r\n",
    "shorter than its chunk": b"5\r\nhell\r\n0\r\n\r\n",
    "longer than its chunk": b"5\r\nhello!\r\n0\r\n\r\n",
    "bare LF after chunk": b"5\r\nhello\n0\r\n\r\n",
    "bare LF after last chunk": b"5\r\nhello\r\n0\n\n",
    "bare LF ends trailers": b"5\r\nhello\r\n0\r\n\n",
    "bare LF in trailers": b"5\r\nhello\r\n0\r\nx: 1\n\r\n",
    "folded trailer": b"5\r\nhello\r\n0\r\nx: 1\r\n 2\r\n\r\n",
    "malformed trailer": b"5\r\nhello\r\n0\r\nx : 1\r\n\r\n",
    "a request for a trailer": b"0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize(("raw", "status"), HEADS.values(), ids=HEADS.keys())
def test_a_head_is_refused(raw: bytes, status: int) -> None:
    """Nothing behind it is ever a request."""
    assert Driver(LIMITS, answers=True).receive(raw).log == [status, "linger"]
    assert Driver(LIMITS, answers=True).receive(raw + b"\r\n\r\n" + GET + b"\r\n").log == [status, "linger"]


@pytest.mark.parametrize(("raw", "status"), HEADS.values(), ids=HEADS.keys())
def test_in_a_hundred_pieces_too(raw: bytes, status: int) -> None:
    """Stock Hypercorn's limit depends on how bytes arrive: a slow sender may send more than a fast
    one.
    """
    step = -(-len(raw) // 100)
    pieces = [raw[n : n + step] for n in range(0, len(raw), step)]
    assert Driver(LIMITS, answers=True).receive(*pieces).log == [status, "linger"]


@pytest.mark.parametrize("raw", CHUNKS.values(), ids=CHUNKS.keys())
def test_a_malformed_chunk_fails_the_request_and_ends_the_connection(raw: bytes) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    for pieces in ([head + raw], [head, *(raw[n : n + 1] for n in range(len(raw)))]):
        driver = Driver(LIMITS, answers=True).receive(*pieces)
        assert driver.log[1:] == [("fault", 400), "linger"]
        assert driver.connection.error.close


def test_a_hundred_fields_and_a_head_at_the_limit_are_fine() -> None:
    fields = b"".join(b"x-%d: 1\r\n" % n for n in range(99))
    assert len(Driver().receive(GET + fields + b"\r\n").log[0][3]) == 100
    padding = 32 * 1024 - len(GET + b"x: \r\n\r\n")
    head = GET + b"x: " + b"y" * padding
    assert Driver().receive(head + b"\r\n\r\n").log[0][0] == "GET"
    assert Driver().receive(head + b"y\r\n\r\n").log == [431, "linger"]
