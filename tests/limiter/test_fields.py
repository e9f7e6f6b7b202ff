from __future__ import annotations

import pytest

from sentinel_host.limiter import Limit, Style, limit_headers, refusal_headers, seconds_of, strictest

MINUTE = Limit(100, 60)
DAY = Limit(1000, 86400, name="daily")
REFUSED = -(1 << 63)


def packed(remaining: int, reset: int, *, refused: bool = False) -> int:
    return (remaining << 32 | reset) + (REFUSED if refused else 0)


def test_the_draft_s_own_example() -> None:
    assert limit_headers([(MINUTE, packed(50, 30_000))]) == [
        (b"ratelimit-policy", b'"default";q=100;w=60'),
        (b"ratelimit", b'"default";r=50;t=30'),
    ]


def test_several_limits_are_one_list_and_the_longest_refusal_says_when() -> None:
    checked = [
        (MINUTE, packed(0, 30_001, refused=True)),
        (DAY, packed(7, 80_000_000)),
        (Limit(1, 1), packed(0, 1, refused=True)),
    ]
    assert limit_headers(checked) == [
        (b"ratelimit-policy", b'"default";q=100;w=60, "daily";q=1000;w=86400, "default";q=1;w=1'),
        (b"ratelimit", b'"default";r=0;t=31, "daily";r=7;t=80000, "default";r=0;t=1'),
        (b"retry-after", b"31"),
    ]


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("reset", [0, 1, 1000, 1001, 2_678_400_001])
def test_a_single_refusal_is_told_by_its_seconds(style: Style, reset: int) -> None:
    refused = packed(0, reset, refused=True)
    assert refusal_headers(MINUTE, seconds_of(refused), style) == limit_headers([(MINUTE, refused)], style)


def test_the_older_form_tells_the_strictest_limit() -> None:
    assert limit_headers([(MINUTE, packed(50, 30_000)), (DAY, packed(7, 5_500))], Style.LEGACY) == [
        (b"ratelimit-limit", b"1000"),
        (b"ratelimit-remaining", b"7"),
        (b"ratelimit-reset", b"6"),
    ]
    refused = limit_headers([(MINUTE, packed(0, 100, refused=True)), (DAY, packed(0, 5_500))], Style.LEGACY)
    assert dict(refused) == {
        b"ratelimit-limit": b"100",
        b"ratelimit-remaining": b"0",
        b"ratelimit-reset": b"1",
        b"retry-after": b"1",
    }


def test_a_refusal_always_says_when() -> None:
    assert limit_headers([(MINUTE, packed(0, 2_000, refused=True))], Style.NONE) == [(b"retry-after", b"2")]
    assert limit_headers([(MINUTE, packed(1, 2_000))], Style.NONE) == []
    assert limit_headers([]) == []


def test_of_two_refusals_the_longer_is_stricter() -> None:
    short, long = (MINUTE, packed(0, 1, refused=True)), (DAY, packed(0, 2, refused=True))
    assert strictest([short, long]) == strictest([long, short]) == long


def test_names_are_quoted_and_windows_whole() -> None:
    """RFC 9651: a String escapes quotes and backslashes; the draft's w has no fractions."""
    assert Limit(1, 0.5, name='a"b\\c').policy == b'"a\\"b\\\\c";q=1'
    assert Limit(1, 90.5).policy == b'"default";q=1'
    assert Limit(1, 90).policy == b'"default";q=1;w=90'
