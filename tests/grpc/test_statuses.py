"""Which requests are gRPC calls, their deadlines, and what refusals become: tables without any
socket.
"""

from __future__ import annotations

import pytest

from sentinel_host.gateway.grpc import deadline_of, is_call, status_of, trailers_only


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpcx", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_which_requests_are_calls(value: bytes, expected: bool) -> None:
    assert is_call([(b"accept", b"*/*"), (b"content-type", value)]) is expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"2H", 7200),
        (b"3M", 180),
        (b"10S", 10),
        (b"250m", 0.25),
        (b"5u", 5e-6),
        (b"7n", 7e-9),
        (b"99999999S", 99_999_999),
        (b"100000000S", None),
        (b"1s", None),
        (b"-1S", None),
        (b"1.5S", None),
        (b"S", None),
        (b"", None),
    ],
)
def test_deadlines(value: bytes, seconds: float | None) -> None:
    assert deadline_of([(b"grpc-timeout", value)]) == pytest.approx(seconds) if seconds else True
    assert (deadline_of([(b"grpc-timeout", value)]) is None) == (seconds is None)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 13), (401, 16), (403, 7), (404, 12), (413, 8), (429, 8), (502, 14), (503, 14), (504, 4), (418, 2), (500, 2)],
)
def test_statuses(status: int, code: int) -> None:
    assert status_of(status) == code


def test_a_refusal_keeps_the_fields_that_say_something_of_the_call() -> None:
    headers = [(b"retry-after", b"1"), (b"content-type", b"application/json"), (b"content-length", b"9")]
    assert trailers_only(503, headers, b'{"error": "50 % \xe2\x80\x93 so\\nit is"}') == [
        (b"retry-after", b"1"),
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"14"),
        (b"grpc-message", b"50 %25 %E2%80%93 so%0Ait is"),
    ]


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b'{"error": 1}', b"\xff"])
def test_a_body_of_another_kind_says_nothing(body: bytes) -> None:
    assert (b"grpc-message", b"Too Many Requests") in trailers_only(429, [], body)
