"""For how long a response asks to be left alone."""

from __future__ import annotations

import pytest

from sentinel_host.upstream.retry_after import pause_of

# Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110, section 5.6.7.
THEN = 784111777.0
DAY = 86_400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"120", 120),
        (b" 7 ", 7),
        (b"0", 0),
        (b"999999999999", DAY),
        (b"Sun, 06 Nov 1994 08:49:47 GMT", 10),
        (b"Sunday, 06-Nov-94 08:49:47 GMT", 10),
        (b"Sun Nov  6 08:49:47 1994", 10),
        (b"Sun, 06 Nov 1994 08:49:27 GMT", 0),
        (b"Sun, 06 Nov 2094 08:49:37 GMT", DAY),
        (b"Sun, 99 Nov 1994 08:49:37 GMT", 0),
        (b"", 0),
        (b"-5", 0),
        (b"1.5", 0),
        (b"soon", 0),
        (b"9" * 5000, 0),
        ("٣".encode(), 0),
        (b"\xff", 0),
    ],
)
def test_seconds_and_dates(value: bytes, seconds: float) -> None:
    assert pause_of([(b"server", b"x"), (b"retry-after", value)], THEN) == seconds


def test_most_responses_ask_for_nothing() -> None:
    assert pause_of([(b"content-length", b"5")], THEN) == 0
