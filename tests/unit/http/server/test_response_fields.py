"""What an application may say in a response on HTTP/2 and HTTP/3, and what becomes of it."""

from __future__ import annotations

import pytest

from sentinel_host.http.field_section import Fields
from sentinel_host.http.server.response_fields import response_head, response_section


@pytest.mark.parametrize(
    ("status", "headers", "fields", "length", "dated"),
    [
        (200, [], [], -1, False),
        (200, [(b"Content-Type", b"text/plain")], [(b"content-type", b"text/plain")], -1, False),
        (200, [(b"connection", b"close"), (b"TE", b"trailers"), (b"x", b"1")], [(b"x", b"1")], -1, False),
        (200, [(b"Date", b"now")], [(b"date", b"now")], -1, True),
        (200, [(b"etag", b"now")], [(b"etag", b"now")], -1, False),
        (200, [(b"Content-Length", b"7")], [(b"content-length", b"7")], 7, False),
        (200, [(b"accept-charset", b"7")], [(b"accept-charset", b"7")], -1, False),
        (204, [(b"content-length", b"0")], [], 0, False),
    ],
)
def test_a_head(status: int, headers: Fields, fields: Fields, length: int, dated: bool) -> None:
    for _ in range(2):
        assert response_head(status, headers) == (fields, length, dated)


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
def test_a_head_with_a_fault(headers: Fields) -> None:
    with pytest.raises(ValueError, match=r"malformed|control"):
        response_head(200, headers)


def test_a_name_that_is_text() -> None:
    # Compiled code finds out by the type alone.
    with pytest.raises((ValueError, TypeError)):
        response_head(200, [("x", b"")])  # type: ignore[list-item]


@pytest.mark.parametrize("status", [101, 199, 1000, "200", None])
def test_statuses_that_are_none(status: object) -> None:
    with pytest.raises(ValueError, match="final status"):
        response_head(status, [])


def test_interim_fields_and_trailers() -> None:
    assert response_section([(b"Link", b"</a>"), (b"content-length", b"1")]) == [(b"link", b"</a>")]
    assert response_section([(b"X-Sum", b"1")], trailers=True) == [(b"x-sum", b"1")]
    for name in (b"content-length", b"connection", b"te"):
        with pytest.raises(ValueError, match="not a trailer field"):
            response_section([(name, b"1")], trailers=True)
