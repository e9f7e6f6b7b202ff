"""The time. Needs the grant ``clock``; `time` and `datetime` then work as well."""

from __future__ import annotations

from sentinel_sdk._host import host


def wall() -> int:
    """Nanoseconds since 1970-01-01 UTC. It may jump when the machine's clock is set."""
    return host().wall()


def monotonic() -> int:
    """Nanoseconds since some moment in the past; it never runs backwards."""
    return host().monotonic()
