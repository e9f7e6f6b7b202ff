"""Plain heads, which C reads, held to what llhttp and the rules in Python say of the same bytes.

Only acceptance has to agree: what is not plain is for llhttp to read.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.fields import read_head
from sentinel_host.grammar import HOP_BY_HOP
from sentinel_host.http._heads import read_request, read_response
from sentinel_host.http.client.head import MalformedHead, ResponseHeadParser, UpstreamHead, no_head, read_plain
from sentinel_host.http.h1.llhttp import parse_head
from sentinel_host.http.methods import METHODS
from tests.unit.http.h1.test_refusals import HEADS
from tests.unit.http.h1.test_splits import STREAMS

CORPUS = Path(__file__).parents[3] / "host" / "native" / "heads" / "tests" / "corpus"
LIMIT = 1 << 20

REQUESTS = {
    "load generator": b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    "curl": b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
    "browser": b"GET /a/b.html?c=%20&d HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "A";v="1", "B";v="2"\r\nsec-ch-ua-mobile: ?0\r\nUpgrade-Insecure-Requests: 1\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html;q=0.9,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: de,en;q=0.5\r\nCookie: a=b; c=d\r\n\r\n",
    "form": b"POST /f HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 17\r\n\r\n",
    "no body": b"PUT /f HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
    "chunked": b"PATCH /f HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
    "closing": b"DELETE /f HTTP/1.1\r\nhost: a\r\nconnection: Close\r\nconnection: keep-alive\r\n\r\n",
    "blanks": b"HEAD //;?#".replace(b"#", b"") + b" HTTP/1.1\r\nHOST:\r\nx: \t a\tb \t\r\nX-Obs:\xe9\r\nz:1\r\n\r\n",
    "most": b"OPTIONS /~ HTTP/1.1\r\nhost: a\r\n" + b"a: b\r\n" * 63 + b"\r\n",
    "length of 18 digits": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999999999999\r\n\r\n",
}
UNUSUAL_REQUESTS = {
    "1.0": b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "absolute": b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "method": b"REPORT / HTTP/1.1\r\nHost: a\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "expect": b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
    "connection options": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, te\r\n\r\n",
    "65 fields": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 64 + b"\r\n",
    "long name": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a" * 64 + b": b\r\n\r\n",
    "empty line first": b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
}
RESPONSES = {
    "nginx": b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 29 Nov 2026 17:00:00 GMT\r\n"
    b'Content-Type: text/html\r\nContent-Length: 615\r\nConnection: keep-alive\r\nETag: "a-b"\r\n'
    b"Accept-Ranges: bytes\r\n\r\n",
    "no reason": b"HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n",
    "no space": b"HTTP/1.1 503\r\nconnection: close\r\n\r\n",
    "reason": b"HTTP/1.1 599 \tNo \xe9 reason \r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n",
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "hop by hop": b"HTTP/1.1 200 OK\r\nTE: a\r\nA: b\r\nTrailer: x\r\nKeep-Alive: timeout=5\r\n"
    b"Proxy-Connection: keep-alive\r\nClose: c\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
    "request id": b"HTTP/1.1 200 OK\r\nX-Request-ID: a\r\nContent-Length: 0\r\n\r\n",
}
UNUSUAL_RESPONSES = {
    "1.0": b"HTTP/1.0 200 OK\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n",
    "600": b"HTTP/1.1 600 Odd\r\n\r\n",
    "upgrade": b"HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "65 fields": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 65 + b"\r\n",
}

Read = tuple[Any, ...]


def request_of_llhttp(data: bytes) -> Read | None:
    found = read_head(data, LIMIT, LIMIT)
    if found is None:
        return None
    end, name, http11 = found
    try:
        head = parse_head(data[:end], http11)
    except ClientError:
        return None
    return (
        *(end, METHODS.get(name), head.target, head.headers, head.length, head.close),
        *(http11, head.expects, head.upgrade),
    )


def response_of_llhttp(data: bytes, cut: int = 0) -> Read | None:
    parser = ResponseHeadParser(LIMIT)
    try:
        if cut and parser.feed(data[:cut]) >= 0:
            return None
        if parser.feed(data[cut:]) < 0:
            return None
    except MalformedHead:
        return None
    return said(parser.head)


def said(head: UpstreamHead) -> Read:
    fields = [field for field in head.headers if field[0] not in HOP_BY_HOP]
    length = (head.content_length, head.chunked)
    has_id = any(name == b"x-request-id" for name, _ in fields)
    return head.size, head.status, fields, *length, head.keep_alive, not has_id, head.http_version


def agrees(data: bytes) -> bool:
    """Whether the bytes are a plain head of either kind; then llhttp must say the same of them."""
    request, response = read_request(data), read_response(data)
    if request is not None:
        assert (*request, True, False, b"") == request_of_llhttp(data), data
    if response is not None:
        assert (*response, b"1.1") == response_of_llhttp(data), data
    return request is not None or response is not None


@pytest.mark.parametrize("head", [*REQUESTS.values(), *RESPONSES.values()], ids=[*REQUESTS, *RESPONSES])
def test_a_plain_head_is_read_whole_or_not_at_all(head: bytes) -> None:
    assert agrees(head)
    assert not any(agrees(head[:cut]) for cut in range(len(head)))
    for after in (b"\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\x00", b": b\r\n\r\n"):
        assert agrees(head + after)
        assert read_request(head + after) == read_request(head)
        assert read_response(head + after) == read_response(head)


@pytest.mark.parametrize("head", RESPONSES.values(), ids=RESPONSES)
def test_a_response_in_two_pieces_says_the_same(head: bytes) -> None:
    plain = no_head()
    assert not read_plain(head, len(head) - 1, plain)
    assert said(plain) == said(no_head())
    assert read_plain(head, len(head), plain)
    for cut in range(1, len(head)):
        assert response_of_llhttp(head, cut) == said(plain)


UNUSUAL = {**UNUSUAL_REQUESTS, **{f"response {name}": head for name, head in UNUSUAL_RESPONSES.items()}}


@pytest.mark.parametrize("head", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_head_is_left_to_llhttp(head: bytes) -> None:
    assert read_request(head) is None
    assert read_response(head) is None


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_is_refused_is_not_plain(head: str) -> None:
    # But for their size alone: limits are the callers'.
    large = {"one field of 60 KiB", "60 KiB of fields", "target of 40 KiB", "declared body too large"}
    assert agrees(HEADS[head][0]) == (head in large)


def test_kept_inputs_agree() -> None:
    """Those that reach everything in the C, as a fuzzer found them, and whole streams."""
    kept = [path.read_bytes() for path in CORPUS.iterdir()]
    plain = [agrees(data) for data in (*kept, *STREAMS.values())]
    assert plain.count(True) > 10


NAMES = (
    *(b"Host", b"host", b"Connection", b"content-length", b"Content-Length", b"transfer-encoding", b"Expect"),
    *(b"upgrade", b"Proxy-Connection", b"TE", b"Accept", b"X-A", b"x", b"cookie", b"Keep-Alive", b"hosts"),
    *(b"content-lengt", b"connectiom", b"x" * 63, b"Sec-Fetch-Mode", b"if-none-match", b"set-cookie"),
    *(b"Trailer", b"trailes", b"proxy-connectiox", b"X-Request-Id", b"x-request-ie", b"keep-alivf"),
)
VALUES = (
    *(b"a", b"", b"keep-alive", b"Close", b"close, x", b"upgrade", b"0", b"5", b"05", b"+5", b"5 5", b"5,5"),
    *(b"999999999999999999", b"9999999999999999999", b"chunked", b"Chunked", b"gzip, chunked", b"chunked,"),
    *(b"identity", b"100-continue", b"websocket", b"a\tb", b"\xff\x80", b"te", b'"a, b"', b"chunked chunked"),
)
LINES = (
    *(b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"HEAD / HTTP/1.1", b"PUT /~!$ HTTP/1.1", b"GET * HTTP/1.1"),
    *(
        b"GET / HTTP/1.0",
        b"DELETE /a HTTP/1.1",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 304",
        b"HTTP/1.1 500 ",
        b"HTTP/1.1 101 x",
    ),
    *(b"HTTP/1.0 200 OK", b"HTTP/1.1 999 x", b"HTTP/1.1 200 a\tb\xe9", b"OPTIONS /a//b HTTP/1.1", b"PATCH /? HTTP/1.1"),
)
SPACES = (b" ", b" ", b" ", b"", b"\t", b"  ")
ODD = (b"\r", b"\n", b"\r\n", b"\x00", b"\x7f", b"\x0b", b" ", b"\t", b":", b",", b"\xff", b"#", b"\r\n ", b"\r\n\r\n")


def generated(random: random.Random, count: int) -> Iterator[bytes]:
    """Heads of all kinds, most of them with one Host or none of the fields that matter."""
    for _ in range(count):
        line = random.choice(LINES)
        fields = [(random.choice(NAMES), random.choice(VALUES)) for _ in range(random.randrange(4))]
        if not line.startswith(b"HTTP") and random.random() < 0.8:
            fields.insert(random.randrange(len(fields) + 1), (b"Host", b"a"))
        lines = (name + b":" + random.choice(SPACES) + value + random.choice(SPACES) for name, value in fields)
        yield b"".join(each + b"\r\n" for each in (line, *lines, b""))


def mutated(random: random.Random, heads: list[bytes], count: int) -> Iterator[bytes]:
    """Heads of which a piece is replaced, left away, or comes twice."""
    for _ in range(count):
        head = random.choice(heads)
        begin = random.randrange(len(head))
        end = min(len(head), begin + random.choice((0, 0, 1, 1, 2, 8)))
        piece = random.choice((b"", head[begin:end] * 2, random.choice(ODD), bytes([random.randrange(256)])))
        yield head[:begin] + piece + head[end:]


def test_generated_heads_agree() -> None:
    plain = [agrees(head) for head in generated(random.Random(1), 20_000)]
    assert 4_000 < plain.count(True) < 16_000


def test_mutated_heads_agree() -> None:
    heads = [*REQUESTS.values(), *RESPONSES.values(), *UNUSUAL.values(), *generated(random.Random(2), 200)]
    plain = [agrees(head) for head in mutated(random.Random(3), heads, 30_000)]
    assert 4_000 < plain.count(True) < 26_000


@pytest.mark.parametrize("place", [0, 4, 6, 12, 16, 20, 24, 26, 34, 38, 40, 41, 43])
def test_every_byte_agrees_wherever_it_stands(place: int) -> None:
    head = b"POST /a HTTP/1.1\r\nContent-Length: 12\r\nhost:a\r\n\r\n"
    for byte in range(256):
        agrees(head[:place] + bytes([byte]) + head[place + 1 :])
        agrees(head[:place] + bytes([byte]) + head[place:])


def test_common_names_are_one_object_and_the_bytes_of_python_stay_as_they_are() -> None:
    """CPython has one object for each byte."""
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX: X\r\nUser-Agent: b\r\n\r\n"
    first, second = read_request(data), read_request(data)
    assert first is not None
    assert second is not None
    assert first[3] == [(b"host", b"a"), (b"x", b"X"), (b"user-agent", b"b")]
    assert [mine is other for (mine, _), (other, _) in zip(first[3], second[3], strict=True)] == [True, False, True]
    assert bytes([88]) == b"\x58"


def test_a_head_is_bytes() -> None:
    for read in (read_request, read_response):
        with pytest.raises(TypeError, match="a head is bytes, not 'GET'"):
            read("GET")  # type: ignore[arg-type]
