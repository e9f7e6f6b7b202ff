"""Header compression against a library's and against the same in Python: whatever their encoders say,
ours understands; whatever we say, their decoders.
"""

from __future__ import annotations

import random

import hpack
import pytest

from sentinel_host.http.h2.hpack import HpackDecoder, encode_section, message_frames
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from tests.unit.http.h2.python_hpack import PythonDecoder, python_section

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


def decoded(decoder: HpackDecoder | PythonDecoder, block: bytes) -> object:
    """What a decoder makes of a block: fields, or the code of a fault."""
    try:
        return decoder.decode(block)
    except ConnectionFault as fault:
        return fault.code


def mutated(chance: random.Random, block: bytes) -> bytes:
    """A block with some bytes changed, cut out, or put in."""
    changed = bytearray(block)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(5))
def test_garbage_is_a_fault_or_what_python_reads_too(seed: int) -> None:
    chance = random.Random(seed)
    faults = 0
    for _ in range(100):
        limit = chance.choice((200, 1 << 16))
        encoder, ours, pythons = hpack.Encoder(), HpackDecoder(limit), PythonDecoder(limit)
        for _ in range(6):
            if not chance.randrange(5):
                encoder.header_table_size = chance.choice((0, 50, 200, 4096))
            # Not all: some blocks have to leave something in the tables.
            block = encoder.encode(made_up(chance), huffman=bool(chance.randrange(2)))
            if chance.randrange(2):
                block = mutated(chance, block)
            found = decoded(ours, block)
            assert found == decoded(pythons, block)
            if isinstance(found, ErrorCode):
                faults += 1
                break
    assert 10 < faults < 100


def test_every_huffman_code_and_every_padding() -> None:
    coded = {symbol: hpack.Encoder().huffman_coder.encode(bytes((symbol,))) for symbol in range(256)}
    for symbol, code in coded.items():
        for text in (code, code + b"\xff", code + b"\xff\xff\xff\xff", code[:-1], code[:-1] + b"\0"):
            # A short name, a coded value.
            block = b"\0\x01n" + bytes((0x80 | len(text),)) + text
            assert decoded(HpackDecoder(1000), block) == decoded(PythonDecoder(1000), block), (symbol, text)
    everything = bytes(range(256)) * 40
    assert decoded(HpackDecoder(1 << 16), hpack.Encoder().encode([(b"n", everything)])) == ([(b"n", everything)], True)


@pytest.mark.parametrize("most", [0, 31, 32, 33, 100, 4096])
def test_the_dynamic_table_at_its_bounds(most: int) -> None:
    ours, pythons = HpackDecoder(1 << 20), PythonDecoder(1 << 20)
    size = {0: b"\x20", 31: b"\x3f\0", 32: b"\x3f\x01", 33: b"\x3f\x02", 100: b"\x3f\x45", 4096: b"\x3f\xe1\x1f"}
    blocks = [size[most]]
    # The empty field costs least: more of them than there is room for go around the table.
    blocks += [b"\x40\0\0"] * 300
    blocks += [b"\x40\x01%c\x01%c" % (letter, letter) for letter in range(65, 91)]
    blocks += [bytes((0x80 | index,)) for index in range(62, 127)] + [b"\xff" + bytes((index,)) for index in range(64)]
    for block in blocks:
        found = decoded(ours, block)
        assert found == decoded(pythons, block)


def test_a_name_from_an_entry_that_its_field_evicts() -> None:
    ours, pythons = HpackDecoder(1 << 20), PythonDecoder(1 << 20)
    for block in (
        b"\x3f\x45",
        b"\x40\x03one\x30" + b"v" * 48,
        b"\x7e\x30" + b"w" * 48,
        b"\xbe",
        b"\x7e\x7f\x00" + b"x" * 127,
        b"\xbe",
    ):
        assert decoded(ours, block) == decoded(pythons, block)


@pytest.mark.parametrize(
    "block", [b"\x80", b"\xbe", b"\x7f\xff\xff\xff\xff\x7f", b"\x3f\xe2\x1f", b"\x82\x20", b"\x00\x85", b"\x00\x01\xff"]
)
def test_faults(block: bytes) -> None:
    with pytest.raises(ConnectionFault):
        HpackDecoder(1000).decode(block)


@pytest.mark.parametrize("limit", [-1, 1 << 62, 1 << 70])
def test_limits_out_of_range(limit: int) -> None:
    with pytest.raises((OverflowError, ValueError)):
        HpackDecoder(limit)


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
        assert decoder.decode(encode_section(status, fields), raw=True) == expected
    assert encode_section(0, []) == b""


NAMES = [
    *{name for name, _ in hpack.hpack.HeaderTable.STATIC_TABLE},
    *(b"n" * length for length in (0, 1, 2, 27, 28, 126, 127, 128, 254, 255, 256, 16_510)),
    b"data",
    b"content-types",
    b"\xff",
]


@pytest.mark.parametrize("status", [0, 100, 200, 201, 999])
def test_our_blocks_are_pythons(status: int) -> None:
    for name in NAMES:
        for length in (0, 1, 126, 127, 128, 255, 5000):
            fields = [(name, b"v" * length)]
            block = python_section(status, fields)
            assert encode_section(status, fields) == block
            head = len(block).to_bytes(3, "big") + b"\x01\x05\0\0\0\x07"
            assert message_frames(7, status, fields, None, True, len(block)) == head + block
            assert message_frames(7, status, fields, None, True, len(block) - 1) is None


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("data", [b"", b"x", bytes(5000)])
def test_a_message_with_data(data: bytes, end: bool) -> None:
    frames = message_frames((1 << 31) - 1, 200, [], data, end, 16_384)
    last = len(data).to_bytes(3, "big") + (b"\0\x01" if end else b"\0\0") + b"\x7f\xff\xff\xff"
    assert frames == b"\0\0\x01\x01\x04\x7f\xff\xff\xff\x88" + last + data


@pytest.mark.parametrize("fields", [[(b"a", "b")], [b"ab"], [("a", b"b")], [(b"a",)], 3])
def test_what_is_no_field_is_not_written(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_section(200, fields)
    with pytest.raises((TypeError, ValueError)):
        message_frames(1, 200, fields, b"", True, 16_384)


@pytest.mark.parametrize("status", [-1, 1, 99, 1000, 1 << 70])
def test_what_is_no_status_is_not_written(status: int) -> None:
    with pytest.raises((OverflowError, ValueError)):
        encode_section(status, [])
