"""Field sections of HTTP/2 towards upstreams: what C reads or writes as ordinary is what all rules say,
and ordinary sections are read and written in C.
"""

from __future__ import annotations

import random

import pytest

from sentinel_host.errors import SentinelError
from sentinel_host.grammar import is_target, is_token
from sentinel_host.http.client.h2_fields import judged_response, read_response, read_trailers, request_section
from sentinel_host.http.client.head import MAX_FIELDS
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.field_section import Fields, Malformed, check_values
from sentinel_host.http.server._section import are_ordinary_trailers, ordinary_response, pseudo_headers

STATUS = (b":status", b"200")


def outcome(read: object, fields: Fields) -> object:
    """What a reader makes of a section."""
    try:
        return read(fields)  # type: ignore[operator]
    except Malformed as fault:
        return str(fault)


@pytest.mark.parametrize(
    "more",
    [
        [],
        [(b"content-type", b"application/grpc"), (b"x", b""), (b"x", b"a\tb\xff")],
        [(b"content-length", b"0"), (b"set-cookie", b"a"), (b"cookie", b"a"), (b"cookie", b"b"), (b"te", b"x")],
        [(b"x", b"v")] * MAX_FIELDS,
    ],
)
def test_ordinary_responses_are_read_in_c(more: Fields) -> None:
    length = 0 if (b"content-length", b"0") in more else -1
    fields = [STATUS, *more]
    assert ordinary_response(fields, MAX_FIELDS) == (200, more, length)
    assert read_response(fields) == judged_response(fields) == (200, more, length)


ODD = [
    (b"content-length", b"1"),
    (b"content-length", b""),
    (b"content-length", b"9" * 19),
    (b"transfer-encoding", b"chunked"),
    (b"connection", b"close"),
    (b"host", b"a"),
    (b"expect", b"a"),
    (b":path", b"/"),
    (b":status", b"200"),
    (b"", b""),
    (b"X", b"v"),
    (b"x", b" v"),
    (b"x", b"v\0"),
]
STATUSES = [b"", b"99", b"099", b"100", b"101", b"999", b"1000", b"20x", b"-20", b"+20", b"\xb2\xb3\xb9"]


def test_made_up_responses() -> None:
    chance = random.Random(8)
    ordinary = 0
    for _ in range(4000):
        fields = [STATUS, (b"a", b"b"), (b"content-length", b"1"), (b"c", b"d")]
        for _ in range(chance.randrange(3)):
            place = chance.randrange(len(fields) + 1)
            fields[place : place + chance.randrange(2)] = [chance.choice(ODD)] * chance.randrange(2)
        if not chance.randrange(3):
            fields[:1] = [(b":status", chance.choice(STATUSES))]
        if not chance.randrange(50):
            fields += [(b"x", b"v")] * MAX_FIELDS
        ordinary += ordinary_response(fields, MAX_FIELDS) is not None
        assert outcome(read_response, fields) == outcome(judged_response, fields), fields
    assert 400 < ordinary < 3600


@pytest.mark.parametrize("fields", [[], [(b"grpc-status", b"0"), (b"grpc-message", b"")], [(b"cookie", b"a")] * 2])
def test_ordinary_trailers(fields: Fields) -> None:
    assert are_ordinary_trailers(fields)
    assert read_trailers(fields) is fields


@pytest.mark.parametrize("field", ODD)
def test_odd_trailers(field: tuple[bytes, bytes]) -> None:
    fields = [(b"grpc-status", b"0"), field]
    assert not are_ordinary_trailers(fields)
    # To a recipient these have no meaning in trailers; the other names have none there at all.
    if field[0] in (b"host", b"expect"):
        assert read_trailers(fields) is fields
    else:
        with pytest.raises(Malformed):
            read_trailers(fields)


def written(method: bytes, host: bytes, target: bytes) -> object:
    """The section of a request, or why there is none."""
    try:
        return request_section(UpstreamRequest(method, target, [], host), b"https")
    except SentinelError as error:
        return str(error)


def test_every_byte_in_a_requests_pseudo_headers() -> None:
    for number in range(256):
        for text in (bytes((number,)), b"a%c" % number, b"%ca" % number, b"a%ca" % number):
            try:
                check_values([(b"x", text)])
                is_value = True
            except Malformed:
                is_value = False
            for method, host, target in ((text, b"a", b"/"), (b"GET", text, b"/"), (b"GET", b"a", b"/" + text)):
                fits = bool(is_token(method) and is_target(target)) and (is_value or host != text)
                fields = [(b":method", method), (b":scheme", b"https"), (b":authority", host), (b":path", target)]
                assert pseudo_headers(method, b"https", host, target) == (fields if fits else None)
                found = written(method, host, target)
                assert found == fields if fits else isinstance(found, str), (method, host, target)


@pytest.mark.parametrize("target", [b"*", b"a:1", b"http://a/"])
def test_targets_without_a_slash_are_left_to_the_rules(target: bytes) -> None:
    assert pseudo_headers(b"OPTIONS", b"https", b"a", target) is None
    assert written(b"OPTIONS", b"a", target)[-1] == (b":path", target)  # type: ignore[index]
