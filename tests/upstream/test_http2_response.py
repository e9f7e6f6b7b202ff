"""What a client makes of a response's frames: the transition table, without any socket."""

from __future__ import annotations

import pytest

from sentinel_host.errors import SentinelError
from sentinel_host.http.client import UpstreamRequest
from sentinel_host.http.client.h2_fields import request_section, request_trailers
from sentinel_host.http.client.h2_response import ResponseReader
from sentinel_host.http.field_section import Fields, Malformed

STATUS = (b":status", b"200")
INTERIM = (b":status", b"103")
LONG = (b"content-length", b"4")

# A section, or the size of a piece of the body, and whether END_STREAM came with it.
Step = tuple[Fields | int, bool]
GOOD: dict[str, tuple[bytes, list[Step]]] = {
    "a head alone": (b"GET", [([STATUS], True)]),
    "interim heads": (b"GET", [([INTERIM], False), ([INTERIM], False), ([STATUS], True)]),
    "a body": (b"GET", [([STATUS], False), (3, False), (0, True)]),
    "a body of a known length": (b"GET", [([STATUS, LONG], False), (3, False), (1, True)]),
    "trailers": (b"GET", [([STATUS], False), (3, False), ([(b"a", b"b")], True)]),
    "trailers without a body": (b"GET", [([STATUS], False), ([(b"a", b"b")], True)]),
    "a length and no body, for HEAD": (b"HEAD", [([STATUS, LONG], True)]),
    "a length and no body, for 304": (b"GET", [([(b":status", b"304"), LONG], True)]),
    "an empty frame, for 204": (b"GET", [([(b":status", b"204")], False), (0, True)]),
}
BAD: dict[str, tuple[bytes, list[Step]]] = {
    "no status": (b"GET", [([(b"a", b"b")], False)]),
    "a status that is none": (b"GET", [([(b":status", b"20")], False)]),
    "a status below 100": (b"GET", [([(b":status", b"099")], False)]),
    "a status twice": (b"GET", [([STATUS, STATUS], False)]),
    "a status after a field": (b"GET", [([(b"a", b"b"), STATUS], False)]),
    "a pseudo-header of requests": (b"GET", [([STATUS, (b":path", b"/")], False)]),
    "a name in upper case": (b"GET", [([STATUS, (b"A", b"b")], False)]),
    "an empty name": (b"GET", [([STATUS, (b"", b"b")], False)]),
    "a line end in a value": (b"GET", [([STATUS, (b"a", b"b\r\nc: d")], False)]),
    "a connection-specific field": (b"GET", [([STATUS, (b"connection", b"close")], False)]),
    "transfer-encoding": (b"GET", [([STATUS, (b"transfer-encoding", b"chunked")], False)]),
    "two lengths": (b"GET", [([STATUS, LONG, LONG], False)]),
    "a length that is none": (b"GET", [([STATUS, (b"content-length", b"+4")], False)]),
    "too many fields": (b"GET", [([STATUS, *[(b"a", b"b")] * 201], False)]),
    "101": (b"GET", [([(b":status", b"101")], False)]),
    "an interim head that ends the stream": (b"GET", [([INTERIM], True)]),
    "interim heads without end": (b"GET", [([INTERIM, (b"a", b"b" * 900)], False)] * 2),
    "a body before the head": (b"GET", [(3, False)]),
    "a body after an interim head": (b"GET", [([INTERIM], False), (3, False)]),
    "a second head": (b"GET", [([STATUS], False), ([STATUS], False)]),
    "trailers that do not end the stream": (b"GET", [([STATUS], False), ([(b"a", b"b")], False)]),
    "a status in trailers": (b"GET", [([STATUS], False), ([STATUS], True)]),
    "a length in trailers": (b"GET", [([STATUS], False), ([LONG], True)]),
    "more than the length": (b"GET", [([STATUS, LONG], False), (5, False)]),
    "less than the length": (b"GET", [([STATUS, LONG], False), (3, True)]),
    "less than the length, and trailers": (b"GET", [([STATUS, LONG], False), ([(b"a", b"b")], True)]),
    "none of the length": (b"GET", [([STATUS, LONG], True)]),
    "a body for HEAD": (b"HEAD", [([STATUS], False), (1, True)]),
    "a body for 204": (b"GET", [([(b":status", b"204")], False), (1, True)]),
}


def read(method: bytes, steps: list[Step]) -> ResponseReader:
    reader = ResponseReader(method, 1000)
    for what, ended in steps:
        if isinstance(what, int):
            reader.data(what, ended)
        else:
            reader.section(what, True, ended)
    return reader


@pytest.mark.parametrize("name", GOOD)
def test_responses(name: str) -> None:
    assert read(*GOOD[name]).status >= 200


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_response(name: str) -> None:
    method, steps = BAD[name]
    read(method, steps[:-1])
    with pytest.raises(Malformed):
        read(method, steps)


def test_a_head_that_is_too_large() -> None:
    with pytest.raises(Malformed, match="larger than 1000 bytes"):
        ResponseReader(b"GET", 1000).section([STATUS], False, False)


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        (b"GE T", b"/", []),
        (b"GET", b"/ x", []),
        (b"GET", b"/\r\n", []),
        (b"GET", b"/", [(b"a", b"b\nc")]),
        (b"GET", b"/", [(b"a b", b"c")]),
        (b"GET", b"/", [(b":path", b"/")]),
    ],
)
def test_what_is_not_written(method: bytes, target: bytes, headers: Fields) -> None:
    with pytest.raises(SentinelError, match="request head for the upstream"):
        request_section(UpstreamRequest(method, target, headers, b"a.example"), b"http")


def test_trailers_that_are_not_written() -> None:
    with pytest.raises(SentinelError, match="request trailers for the upstream"):
        request_trailers([(b"content-length", b"1")])
