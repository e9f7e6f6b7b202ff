"""What guests logged, without the time."""

from __future__ import annotations

from sentinel_host.sandbox import GuestEngine


def said(engine: GuestEngine) -> list[tuple[str, str | None, str, str]]:
    """Guest, request id, level and message of every line since the last time, oldest first."""
    lines, dropped = engine.log.drain()
    assert dropped == 0
    return [(line.guest, line.request_id, line.level, line.message) for line in lines]
