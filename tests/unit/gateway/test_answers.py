"""What clients are told of errors."""

from __future__ import annotations

import pytest

from sentinel_host.errors import (
    ClientError,
    GuestBusy,
    GuestQuarantined,
    GuestTrap,
    Progress,
    SentinelError,
    UpstreamBusy,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from sentinel_host.gateway.answers import refusal


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (UpstreamUnavailable("a: all endpoints are down", 7), 503, b"7"),
        (UpstreamOverloaded("a: too much"), 503, b"1"),
        (UpstreamBusy("a: every connection is in use"), 503, b"1"),
        (UpstreamTimeout("a: no response", Progress.SENT), 504, None),
        (UpstreamError("a: reset"), 502, None),
        (GuestBusy("g", "all instances are in use"), 503, b"1"),
        (GuestQuarantined("g", "request", 30), 503, b"30"),
        (GuestTrap("g", "request", "unreachable"), 503, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SentinelError) else None,
)
def test_who_may_come_back_is_told_when(error: SentinelError, status: int, retry_after: bytes | None) -> None:
    response = refusal(error)
    assert (response.status, dict(response.headers).get(b"retry-after")) == (status, retry_after)
    # What is inside stays inside.
    assert str(error).encode() not in response.body


def test_clients_are_told_of_their_own_faults() -> None:
    error = ClientError("no such thing")
    assert b"no such thing" in refusal(error).body
