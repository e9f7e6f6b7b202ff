from __future__ import annotations

import random

import pytest

from sentinel_host.http.client.chunked import MAX_LINE, ChunkedDecoder, MalformedBody

BODY = b'5\r\nhello\r\nB;name="v" ; x\r\n wonderful \r\n005\r\nworld\r\n0;last\r\nX-A: b\r\nX-C: d\r\n\r\n'
TEXT = b"hello wonderful world"


def decode(pieces, decoder=None):
    decoder = decoder or ChunkedDecoder(1000)
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
    assert decoder.trailers == b"X-A: b\r\nX-C: d\r\n\r\n"


def test_a_body_in_single_bytes():
    text, decoder, _ = decode([BODY[at : at + 1] for at in range(len(BODY))])
    assert (text, decoder.done) == (TEXT, True)


def test_a_buffer_inside_a_chunk_is_passed_on_itself():
    out: list[bytes] = []
    decoder = ChunkedDecoder(1000)
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
        assert (text, decoder.done, left, decoder.trailers) == (b"".join(chunks), True, 4, b"")


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
    """Servers that write sizes of a fixed width pad them with spaces; their responses broke off with 502."""
    wire = b"5%b\r\nhello\r\nb%b;a=b\r\n wonderful \r\n0%b\r\nA: b\r\n\r\n" % (padding, padding, padding)
    for cut in range(len(wire)):
        text, decoder, left = decode([wire[:cut], wire[cut:]])
        assert (text, decoder.done, left, decoder.trailers) == (b"hello wonderful ", True, 0, b"A: b\r\n\r\n")


def test_a_chunk_size_line_is_bounded_even_when_it_is_whole():
    with pytest.raises(MalformedBody):
        decode([b"1;" + b"x" * 2 * MAX_LINE + b"\r\n"])
