"""Requests on HTTP/2 and HTTP/3: what C reads as ordinary is what all rules say, and ordinary requests
are read in C.
"""

from __future__ import annotations

import random

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.grammar import is_authority, is_field_name, is_target
from sentinel_host.http.field_section import Fields, Malformed, check_values
from sentinel_host.http.server._section import ordinary_request
from sentinel_host.http.server.request_fields import RequestFields, judged_request, request_fields

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.example:8443"), (b":path", b"/a?b")]
MOST = 6


def outcome(read: object) -> object:
    """What can be compared of a head."""
    assert isinstance(read, RequestFields)
    return read.method, read.target, read.scheme, read.headers, read.length, read.protocol, read.expects


def judged(fields: Fields) -> object:
    """What all rules say of a section."""
    try:
        return outcome(judged_request(fields, MOST))
    except ClientError as error:
        return error.status, str(error)
    except Malformed as error:
        return str(error)


def read(fields: Fields) -> object:
    """What is said of a section."""
    try:
        return outcome(request_fields(fields, MOST))
    except ClientError as error:
        return error.status, str(error)
    except Malformed as error:
        return str(error)


ORDINARY = [
    [],
    [(b"accept", b"*/*"), (b"x", b""), (b"user-agent", b"a\tb \x80\xff")],
    [(b"content-length", b"0"), (b"te", b"trailers"), (b"content-type", b"application/grpc")],
    [(b"content-length", b"9" * 18), (b"cookie", b"a=b; c=d")],
    [(b"n%d" % number, b"v") for number in range(MOST)],
    [(b"x", b"1"), (b"x", b"2")],
]


@pytest.mark.parametrize("more", ORDINARY)
def test_ordinary_requests_are_read_in_c(more: Fields) -> None:
    fields = [*GET, *more]
    length = next((int(value) for name, value in more if name == b"content-length"), -1)
    headers = [(b"host", b"a.example:8443"), *more]
    assert ordinary_request(fields, MOST) == (b"GET", b"/a?b", True, headers, length)
    assert read(fields) == judged(fields) == ("GET", b"/a?b", "https", headers, length, b"", False)


# Without what C leaves to the rules, these are ordinary.
LEFT_TO_THE_RULES = [
    (b"host", b"a.example:8443"),
    (b"host", b"b.example"),
    (b"expect", b"100-continue"),
    (b"expect", b"more"),
    (b"te", b"Trailers"),
    (b"te", b"gzip"),
    (b"content-length", b""),
    (b"content-length", b"+1"),
    (b"content-length", b"1,1"),
    (b"content-length", b"9" * 19),
    (b"connection", b"close"),
    (b"keep-alive", b"1"),
    (b"proxy-connection", b"close"),
    (b"transfer-encoding", b"chunked"),
    (b"upgrade", b"h2c"),
    (b"X", b"v"),
    (b"", b"v"),
    (b"x y", b"v"),
    (b"x:", b"v"),
    (b"x\x80", b"v"),
    (b":path", b"/"),
    (b":new", b"v"),
    (b"x", b" v"),
    (b"x", b"v\t"),
    (b"x", b" "),
    (b"x", b"a\nb"),
    (b"x", b"a\0"),
    (b"x", b"\x7f"),
]


@pytest.mark.parametrize("field", LEFT_TO_THE_RULES)
def test_what_needs_more_rules_is_left_to_them(field: tuple[bytes, bytes]) -> None:
    fields = [*GET, field]
    assert ordinary_request(fields, MOST) is None
    assert read(fields) == judged(fields)


def test_what_is_not_there_or_too_much() -> None:
    crumbs = [*GET, (b"cookie", b"a=b"), (b"cookie", b"c=d")]
    assert ordinary_request(crumbs, MOST) is None
    assert read(crumbs) == (
        "GET",
        b"/a?b",
        "https",
        [(b"host", b"a.example:8443"), (b"cookie", b"a=b; c=d")],
        -1,
        b"",
        False,
    )
    many = [*GET, *[(b"x", b"v")] * (MOST + 1)]
    assert ordinary_request(many, MOST) is None
    assert read(many) == (431, "too many header fields")
    for place, field in enumerate(GET):
        missing, twice = GET[:place] + GET[place + 1 :], [*GET[: place + 1], field, *GET[place + 1 :]]
        assert ordinary_request(missing, MOST) is None
        assert ordinary_request(twice, MOST) is None
        assert read(missing) == judged(missing)
        assert read(twice) == judged(twice)


def test_a_method_that_is_not_served() -> None:
    fields = [(b":method", b"get"), *GET[1:]]
    assert read(fields) == judged(fields) == (501, "method not implemented")


@pytest.mark.parametrize("value", [b"", b"*", b"a", b"/\x7f", b"/ ", b"/#", b"/\x80", b"/\0", b"http://a/"])
def test_paths(value: bytes) -> None:
    fields = [*GET[:3], (b":path", value)]
    assert ordinary_request(fields, MOST) is None
    assert read(fields) == judged(fields)


def test_every_byte_in_every_place() -> None:
    for number in range(256):
        byte = bytes((number,))
        for text in (byte, b"a" + byte, byte + b"a", b"a" + byte + b"a", b"a" * 8 + byte + b"a" * 8):
            named = ordinary_request([*GET, (text, b"v")], MOST) is not None
            assert named == (is_field_name(text) is not None), text
            try:
                check_values([(b"x", text)])
                valued = True
            except Malformed:
                valued = False
            assert (ordinary_request([*GET, (b"x", text)], MOST) is not None) == valued, text
            pathed = ordinary_request([*GET[:3], (b":path", b"/" + text)], MOST) is not None
            assert pathed == (is_target(text) is not None), text
            for authority in (text, text + b":1", b"[" + text + b"]", b"a:" + text, b"[::1]" + text, text + b":123456"):
                ordinary = ordinary_request([*GET[:2], (b":authority", authority), GET[3]], MOST) is not None
                assert ordinary == (is_authority(authority) is not None), authority


def made_up(chance: random.Random) -> Fields:
    """Fields of a request, with a fault here and there."""
    names = [b"host", b"cookie", b"te", b"expect", b"content-length", b"upgrade", b"x-a", b"accept", b"X", b"", b":a"]
    values = [b"", b"1", b"trailers", b"a.example:8443", b"100-continue", b"v w", b" v", b"v\r", b"\xff"]
    fields = [*GET, *[(chance.choice(names), chance.choice(values)) for _ in range(chance.randrange(4))]]
    for _ in range(chance.randrange(3)):
        place = chance.randrange(len(fields))
        name, value = fields[place]
        what = chance.randrange(6)
        if what == 0:
            del fields[place]
        elif what == 1:
            fields.insert(chance.randrange(len(fields)), fields[place])
        elif what == 2:
            fields[place] = (name, chance.choice(values))
        elif what == 3:
            fields[place] = (name, value[:1] + chance.randbytes(1) + value[1:])
        elif what == 4:
            fields[place] = (name[:1] + chance.randbytes(1) + name[1:], value)
        elif not fields:
            break
        else:
            fields.append(fields.pop(place))
        if not fields:
            break
    return fields


def test_made_up_sections() -> None:
    chance = random.Random(9113)
    ordinary = 0
    for _ in range(8000):
        fields = made_up(chance)
        ordinary += ordinary_request(fields, MOST) is not None
        assert read(fields) == judged(fields), fields
    assert 1000 < ordinary < 7000


def test_what_is_no_list_of_fields() -> None:
    with pytest.raises(ValueError, match="pair of byte strings"):
        ordinary_request([*GET, (b"a", "b")], MOST)  # type: ignore[list-item]
    with pytest.raises(TypeError):
        ordinary_request(3, MOST)  # type: ignore[arg-type]
