"""Response heads as bytes."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_host.http.h1.response import encode_fields, encode_head, encode_informational, encode_reply
from sentinel_host.http.server.replies import error_reply


def test_head() -> None:
    head = encode_head(200, [(b"Content-Length", b"5"), (b"x-y", b""), (b"date", b"now"), (b"connection", b"Close")])
    assert head == (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-y: \r\ndate: now", 5, True, True)
    assert encode_head(299, []) == (b"HTTP/1.1 299 ", -1, False, False)
    assert encode_head(204, [(b"content-length", b"0")]) == (b"HTTP/1.1 204 No Content", 0, False, False)


@pytest.mark.parametrize("name", [b"Transfer-Encoding", b"keep-alive", b"PROXY-CONNECTION", b"connection"])
def test_framing_of_the_application_is_dropped(name: bytes) -> None:
    assert encode_head(200, [(name, b"x")]) == (b"HTTP/1.1 200 OK", -1, False, False)


@pytest.mark.parametrize(
    "header",
    [
        (b"a b", b""),
        (b"", b""),
        (b"a:", b""),
        (b"a\n", b""),
        (b"a", b"\n"),
        (b"a", b"\r\nb: c"),
        (b"a", b"\x00"),
        (b"\xe9", b""),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "encode", [lambda h: encode_head(200, h), encode_fields, lambda h: encode_informational(103, h)]
)
def test_faults_are_refused_however_often_they_come(encode: Any, header: tuple[bytes, bytes]) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="header"):
            encode([(b"ok", b"1"), header])


@pytest.mark.parametrize("values", [[b"x"], [b"1 "], [b""], [b"1", b"1"], [b"9" * 19], [b"\xb2"]])
def test_malformed_length(values: list[bytes]) -> None:
    with pytest.raises(ValueError, match="content-length"):
        encode_head(200, [(b"content-length", value) for value in values])


def test_trailers_cannot_frame() -> None:
    assert encode_fields([(b"a", b"1"), (b"b", b"2")]) == b"a: 1\r\nb: 2\r\n"
    assert encode_fields([]) == b""
    with pytest.raises(ValueError, match="not a trailer"):
        encode_fields([(b"Content-Length", b"1")])


def test_error_reply_shows_no_raw_bytes() -> None:
    raw = encode_reply(error_reply(400, "caf\u00e9"), b"\r\ndate: now")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 400 Bad Request",
        b"content-type: application/json",
        b"date: now",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    assert body == b'{"error": "caf\\u00e9"}'
