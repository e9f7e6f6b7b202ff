from __future__ import annotations

import gc

import pytest

from sentinel_host.http.client.head import MAX_FIELDS, MalformedHead, ResponseHeadParser

HEAD = b"HTTP/1.1 207 Multi Status\r\nContent-Length: 12\r\nSet-Cookie: a=b\r\nset-cookie:  c=d \t\r\nEmpty:\r\n\r\n"
FIELDS = [(b"content-length", b"12"), (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d"), (b"empty", b"")]


@pytest.mark.parametrize("first", range(1, len(HEAD)))
@pytest.mark.parametrize("after", [b"", b"\r\n\r\nbody"], ids=["alone", "with body"])
def test_a_head_split_anywhere(first, after):
    parser = ResponseHeadParser(len(HEAD))
    data = HEAD + after
    assert parser.feed(data[:first]) == -1
    assert parser.feed(data[first:]) == len(HEAD) - first
    head = parser.head
    assert head.size == len(HEAD)
    assert (head.status, head.http_version, head.headers) == (207, b"1.1", FIELDS)
    assert (head.content_length, head.chunked, head.keep_alive) == (12, False, True)


def test_a_head_in_single_bytes():
    parser = ResponseHeadParser(len(HEAD))
    assert [parser.feed(HEAD[at : at + 1]) for at in range(len(HEAD))] == [-1] * (len(HEAD) - 1) + [1]
    assert parser.head.headers == FIELDS


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 10_000])
def test_limits_hold_whatever_the_pieces(step):
    def feed(data, limit):
        parser = ResponseHeadParser(limit)
        return [parser.feed(data[at : at + step]) for at in range(0, len(data), step)][-1]

    assert feed(HEAD, len(HEAD)) > 0
    with pytest.raises(MalformedHead, match="larger than"):
        feed(HEAD, len(HEAD) - 1)
    most = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * MAX_FIELDS
    assert feed(most + b"\r\n", 65536) > 0
    with pytest.raises(MalformedHead, match="more than 200 fields"):
        feed(most + b"a: b\r\n\r\n", 65536)


@pytest.mark.parametrize(
    ("version", "connection", "keep"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.1", b"Connection: CLOSE\r\n", False),
        (b"1.1", b"Connection: x-user ,\tclose\r\n", False),
        (b"1.1", b"Connection: keep-alive\r\nConnection: close\r\n", False),
        (b"1.1", b"Connection: close\r\nConnection: keep-alive\r\n", False),
        (b"1.1", b"Connection: close, keep-alive\r\nConnection: x\r\n", False),
        (b"1.1", b"Connection: closed\r\n", True),
        (b"1.2", b"", True),
        (b"1.9", b"Connection: close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", False),
    ],
)
def test_keep_alive(version, connection, keep):
    parser = ResponseHeadParser(1000)
    parser.feed(b"HTTP/" + version + b" 200 OK\r\n" + connection + b"\r\n")
    head = parser.head
    assert (head.keep_alive, head.http_version) == (keep, min(version, b"1.1"))


def test_a_parser_leaves_no_reference_cycle():
    """A cycle per response would leave every one of them to the garbage collector."""
    gc.disable()
    try:
        gc.collect()
        parser = ResponseHeadParser(1000)
        parser.feed(HEAD)
        del parser
        assert gc.collect() == 0
    finally:
        gc.enable()
