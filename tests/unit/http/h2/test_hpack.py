"""Header compression against a library's: whatever its encoder says, ours understands; whatever we say, its decoder."""

from __future__ import annotations

import random
from contextlib import suppress

import hpack
import pytest

from sentinel_host.http.h2.hpack import HpackDecoder
from sentinel_host.http.h2.response import date_field, encode_fields, encode_head, length_field, status_field
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode

Fields = list[tuple[bytes, bytes]]


def made_up(chance: random.Random) -> Fields:
    """Some fields, known names and new ones, short values and long."""
    names = [
        b":path",
        b"cookie",
        b"x-one",
        b"x-two",
        b"content-type",
        b"authorization",
        b"n" * chance.randrange(1, 300),
    ]
    return [
        (chance.choice(names), chance.randbytes(chance.choice((0, 1, 5, 40, 130, 1000))))
        for _ in range(chance.randrange(9))
    ]


@pytest.mark.parametrize("seed", range(20))
def test_what_the_librarys_encoder_says(seed: int) -> None:
    chance = random.Random(seed)
    encoder, decoder = hpack.Encoder(), HpackDecoder(1 << 20)
    for _ in range(100):
        fields = made_up(chance)
        if not chance.randrange(5):
            encoder.header_table_size = chance.choice((0, 50, 200, 4096))
        block = encoder.encode(fields, huffman=bool(chance.randrange(2)))
        assert decoder.decode(block) == (fields, True)


def test_sensitive_fields() -> None:
    encoder, decoder = hpack.Encoder(), HpackDecoder(1 << 20)
    fields = [hpack.NeverIndexedHeaderTuple(b"x-token", b"secret"), hpack.NeverIndexedHeaderTuple(b"cookie", b"a")]
    for _ in range(2):
        assert decoder.decode(encoder.encode(fields)) == ([(b"x-token", b"secret"), (b"cookie", b"a")], True)
    assert b"secret" not in decoder._strings.values()


def test_a_list_beyond_the_limit_leaves_the_table_as_the_peers() -> None:
    encoder, decoder = hpack.Encoder(), HpackDecoder(1000)
    large = [(b"x-%d" % number, b"v" * 100) for number in range(20)]
    fields, whole = decoder.decode(encoder.encode(large))
    assert (fields, whole) == (large[: len(fields)], False)
    assert decoder.decode(encoder.encode(large[-3:])) == (large[-3:], True)


def test_a_list_out_of_proportion_is_not_read_to_its_end() -> None:
    encoder, decoder = hpack.Encoder(), HpackDecoder(10_000)
    decoder.decode(encoder.encode([(b"x", b"v" * 4000)]))
    with pytest.raises(ConnectionFault) as fault:
        decoder.decode(b"\xbe" * 1_000_000)
    assert fault.value.code is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_a_fault_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        decoder = HpackDecoder(1 << 16)
        block = bytearray(hpack.Encoder().encode(made_up(chance)) + chance.randbytes(chance.randrange(20)))
        for _ in range(chance.randrange(4)):
            if block:
                block[chance.randrange(len(block))] = chance.randrange(256)
        with suppress(ConnectionFault):
            decoder.decode(bytes(block))


@pytest.mark.parametrize(
    "block", [b"\x80", b"\xbe", b"\x7f\xff\xff\xff\xff\x7f", b"\x3f\xe2\x1f", b"\x82\x20", b"\x00\x85", b"\x00\x01\xff"]
)
def test_faults(block: bytes) -> None:
    with pytest.raises(ConnectionFault):
        HpackDecoder(1000).decode(block)


def test_what_we_say_is_understood() -> None:
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    headers = [(b"Content-Type", b"text/plain"), (b"x-new", b"v" * 300), (b"connection", b"close"), (b"n" * 200, b"")]
    for status in (200, 204, 299, 404, 503, 999):
        block, length, dated = encode_head(status, [*headers, (b"date", b"now")])
        expected = [(b"content-type", b"text/plain"), (b"x-new", b"v" * 300), (b"n" * 200, b""), (b"date", b"now")]
        assert decoder.decode(block, raw=True) == [(b":status", b"%d" % status), *expected]
        assert (length, dated) == (-1, True)
    rest = status_field(103) + date_field(b"then") + length_field(12345) + encode_fields([(b"link", b"</a>")])
    assert decoder.decode(rest, raw=True) == [
        (b":status", b"103"),
        (b"date", b"then"),
        (b"content-length", b"12345"),
        (b"link", b"</a>"),
    ]
    assert encode_head(200, [(b"content-length", b"7")])[1] == 7


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x", b"1\r\n")],
        [(b"x", b"\0")],
        [(b"x y", b"")],
        [(b"", b"")],
        [(b":status", b"200")],
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"-1")],
    ],
)
def test_what_may_not_be_said(headers: Fields) -> None:
    with pytest.raises(ValueError, match=r"malformed|control"):
        encode_head(200, headers)


def test_a_name_that_is_text() -> None:
    # Compiled code finds out by the type alone.
    with pytest.raises((ValueError, TypeError)):
        encode_head(200, [("x", b"")])  # type: ignore[list-item]


@pytest.mark.parametrize("status", [101, 199, 1000, "200", None])
def test_statuses_that_are_none(status: object) -> None:
    with pytest.raises(ValueError, match="final status"):
        encode_head(status, [])
