"""The chunked coding of requests and of responses, in any pieces."""

from __future__ import annotations

import random

import pytest

from sentinel_host.http.chunked import (
    OF_REQUESTS,
    OF_RESPONSES,
    BodyTooLarge,
    ChunkedDecoder,
    MalformedBody,
    TrailersTooLarge,
)

BODY = b'5\r\nhello\r\nB;name="v" ; x\r\n wonderful \r\n005\r\nworld\r\n0;last\r\nX-A: b\r\nX-C: d\r\n\r\n'
MAX_LINE = OF_RESPONSES.max_line
TEXT = b"hello wonderful world"


def decode(pieces, decoder=None):
    decoder = decoder or ChunkedDecoder(OF_RESPONSES, 1000)
    out = []
    after = 0
    for number, piece in enumerate(pieces):
        after = decoder.feed(piece, out)
        if decoder.done:
            return b"".join(out), decoder, after + sum(map(len, pieces[number + 1 :]))
    return b"".join(out), decoder, after


@pytest.mark.parametrize("first", range(len(BODY) + 1))
@pytest.mark.parametrize("after", [b"", b"\r\n", b"HTTP/1.1 200 OK"])
def test_a_body_split_anywhere(first, after):
    data = BODY + after
    text, decoder, left = decode([data[:first], data[first:]])
    assert (text, decoder.done, left) == (TEXT, True, len(after))
    assert decoder.trailers == [(b"x-a", b"b"), (b"x-c", b"d")]


def test_a_body_in_single_bytes():
    text, decoder, _ = decode([BODY[at : at + 1] for at in range(len(BODY))])
    assert (text, decoder.done) == (TEXT, True)


def test_a_buffer_inside_a_chunk_is_passed_on_itself():
    out: list[bytes] = []
    decoder = ChunkedDecoder(OF_RESPONSES, 1000)
    decoder.feed(b"100000\r\n", out)
    buffer = bytes(65536)
    decoder.feed(buffer, out)
    assert out[0] is buffer


def test_random_bodies_in_random_pieces():
    dice = random.Random(7)
    for _ in range(300):
        chunks = [dice.randbytes(dice.choice((1, 2, 15, 16, 300))) for _ in range(dice.randrange(6))]
        wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n" + b"next"
        cuts = sorted(dice.randrange(len(wire)) for _ in range(dice.randrange(8)))
        pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
        text, decoder, left = decode(pieces)
        assert (text, decoder.done, left, decoder.trailers) == (b"".join(chunks), True, 4, [])


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n",
        b" 5\r\nhello\r\n",
        b"5 5\r\nhello\r\n",
        b"5 x\r\nhello\r\n",
        b"5 \n\r\nhello\r\n",
        b"5\v\r\nhello\r\n",
        b"5" + b" " * MAX_LINE,
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"g\r\n",
        b";a\r\n",
        b"5\nhello\r\n",
        b"5\r\nhello\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\r0",
        b"5;a\nb\r\nhello\r\n",
        b"5;a\0\r\nhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"fffffffffffffffff\r\n",
        b"1" + b";" + b"x" * MAX_LINE + b"x",
        b"0\r\n" + b"A: " + b"x" * 1000,
        b"0\r\n" + b"A: " + b"x" * 1000 + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 3, 100_000])
def test_malformed_bodies(wire, step):
    with pytest.raises(MalformedBody):
        decode([wire[at : at + step] for at in range(0, len(wire), step)])


@pytest.mark.parametrize("padding", [b" ", b"\t", b"    ", b" \t \t"])
def test_a_size_may_be_padded_on_its_right(padding):
    """Servers that write sizes of a fixed width pad them with spaces; their responses broke off
    with 502.
    """
    wire = b"5%b\r\nhello\r\nb%b;a=b\r\n wonderful \r\n0%b\r\nA: b\r\n\r\n" % (padding, padding, padding)
    for cut in range(len(wire)):
        text, decoder, left = decode([wire[:cut], wire[cut:]])
        assert (text, decoder.done, left, decoder.trailers) == (b"hello wonderful ", True, 0, [(b"a", b"b")])


def test_a_chunk_size_line_is_bounded_even_when_it_is_whole():
    with pytest.raises(MalformedBody):
        decode([b"1;" + b"x" * 2 * MAX_LINE + b"\r\n"])


@pytest.mark.parametrize("rules", [OF_REQUESTS, OF_RESPONSES], ids=["request", "response"])
@pytest.mark.parametrize(
    "section", [b"A : b", b"A", b"A: b\nC: d", b" A: b", b"A: b\r\n c", b"A: \0", b": b", b"A: b\rC: d"]
)
@pytest.mark.parametrize("step", [1, 5, 1000])
def test_trailers_are_held_to_the_syntax_of_fields(rules, section, step):
    wire = b"0\r\n" + section + b"\r\n\r\n"
    with pytest.raises(MalformedBody):
        decode([wire[at : at + step] for at in range(0, len(wire), step)], ChunkedDecoder(rules, 1000))


@pytest.mark.parametrize(
    "wire", [b"5 \r\n", b"5\t\r\n", b"5 ;a\r\n", b"5; a\r\n", b"5;a = b\r\n", b"5;\r\n", b"5;=b\r\n"]
)
def test_requests_have_no_white_space_in_a_size_line_and_extensions_by_the_grammar(wire):
    with pytest.raises(MalformedBody, match="malformed chunk"):
        ChunkedDecoder(OF_REQUESTS, 1000).feed(wire, [])
    assert ChunkedDecoder(OF_RESPONSES, 1000).feed(wire, []) == 0


def test_extensions_of_requests_are_bounded_in_one_line_and_in_all():
    with pytest.raises(MalformedBody, match="malformed chunk"):
        ChunkedDecoder(OF_REQUESTS, 1000).feed(b"1;" + b"x" * OF_REQUESTS.max_line, [])
    wire = (b"1;" + b"x" * 200 + b"\r\nx\r\n") * 200
    with pytest.raises(MalformedBody, match="too many chunk extensions"):
        ChunkedDecoder(OF_REQUESTS, 1000).feed(wire, [])
    assert len(decode([wire], ChunkedDecoder(OF_RESPONSES, 1000))[0]) == 200


def test_a_body_is_too_large_as_soon_as_it_is_announced():
    pieces: list[bytes] = []
    decoder = ChunkedDecoder(OF_REQUESTS, 1000, 10)
    decoder.feed(b"a\r\n0123456789\r\n", pieces)
    with pytest.raises(BodyTooLarge):
        decoder.feed(b"1\r\n", pieces)
    assert pieces == [b"0123456789"]


def test_pieces_before_a_fault_are_handed_out():
    pieces: list[bytes] = []
    with pytest.raises(MalformedBody):
        ChunkedDecoder(OF_RESPONSES, 1000).feed(b"2\r\nok\r\nzz\r\n", pieces)
    assert pieces == [b"ok"]


def test_trailers_are_bounded():
    for wire in (b"0\r\nA: " + b"x" * 1000, b"0\r\nA: " + b"x" * 1000 + b"\r\n\r\n"):
        with pytest.raises(TrailersTooLarge):
            ChunkedDecoder(OF_RESPONSES, 1000).feed(wire, [])
