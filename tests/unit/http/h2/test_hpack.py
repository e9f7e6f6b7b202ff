"""Header compression against a library's: whatever its encoder says, ours understands; whatever we
say, its decoder.
"""

from __future__ import annotations

import random
from contextlib import suppress

import hpack
import pytest

from sentinel_host.http.h2.hpack import HpackDecoder
from sentinel_host.http.h2.hpack_encoder import encode_section
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
    assert b"secret" not in decoder.strings.known.values()


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


@pytest.mark.parametrize("status", [0, 100, 103, 200, 204, 299, 404, 503, 999])
def test_what_our_encoder_says_is_understood(status: int) -> None:
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    fields = [
        (b"content-type", b"text/plain"),
        (b"x-new", b"v" * 300),
        (b"n" * 200, b""),
        (b"date", b"now"),
        (b"content-length", b"12345"),
    ]
    expected = [(b":status", b"%d" % status), *fields] if status else fields
    for _ in range(2):
        assert decoder.decode(encode_section(fields, status), raw=True) == expected
    assert encode_section([]) == b""
