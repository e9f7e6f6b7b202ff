"""Request bodies by their framing."""

from __future__ import annotations

from math import inf

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.http.h1.bodies import ChunkDecoder, LengthDecoder


def test_data_wholly_inside_a_body_is_not_copied() -> None:
    data = b"x" * 100
    counted = LengthDecoder(250)
    assert counted.feed(data) is data
    assert counted.feed(data) is data
    assert not counted.done
    assert counted.remaining == 50
    chunked = ChunkDecoder(None)
    assert chunked.feed(b"fa\r\n") == b""
    assert chunked.feed(data) is data
    assert chunked.feed(data) is data
    assert chunked.remaining == inf


def test_length_leaves_what_follows() -> None:
    body = LengthDecoder(3)
    assert body.feed(b"abcGET") == b"abc"
    assert (body.done, body.rest, body.remaining) == (True, b"GET", 0)


def test_chunks_leave_what_follows() -> None:
    body = ChunkDecoder(None)
    assert body.feed(b'1\r\na\r\n2;x;y=z;q="\\" b"\r\nbc\r\n0;last\r\nT: 1\r\n\r\nGET') == b"abc"
    assert (body.done, body.rest, body.trailers) == (True, b"GET", [(b"t", b"1")])


def test_limit_is_met_when_a_chunk_is_announced() -> None:
    body = ChunkDecoder(10)
    assert body.feed(b"a\r\n0123456789\r\n") == b"0123456789"
    with pytest.raises(ClientError) as caught:
        body.feed(b"1\r\n")
    assert caught.value.status == 413


def test_extensions_are_bounded_over_the_whole_body() -> None:
    """Single bytes under long extensions cost their reader a hundred times what body limits see."""
    with pytest.raises(ClientError, match="extensions"):
        ChunkDecoder(None).feed((b"1;" + b"e" * 200 + b"\r\nx\r\n") * 200)


def test_trailers_are_bounded() -> None:
    body = ChunkDecoder(None)
    body.feed(b"0\r\n")
    with pytest.raises(ClientError) as caught:
        body.feed((b"t: " + b"x" * 100 + b"\r\n") * 100)
    assert caught.value.status == 431


@pytest.mark.parametrize("start", [b"g", b"\r", b"5 ", b"5\r5", b"0000000000000000", b"5\r\nhelloX", b"5\r\nhello\rX"])
def test_unfinished_nonsense_is_refused_without_waiting(start: bytes) -> None:
    with pytest.raises(ClientError, match="malformed chunk"):
        ChunkDecoder(None).feed(start)
