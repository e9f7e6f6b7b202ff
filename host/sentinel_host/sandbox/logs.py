"""What guests log, on its way to Python's ``logging``: logger ``sentinel.guest.<name>``, one record a line.

A guest's text is untrusted. Whatever is not printable, line ends and terminal controls above all, is written as an
escape; bytes that are not UTF-8 become U+FFFD. So one line of a guest is one line of the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from sentinel_host.abi.contract import LOG_LEVELS
from sentinel_host.native.log import DEFAULT_CAPACITY, LogBuffer, lines_of
from sentinel_host.sandbox.text import readable

# logging has no level below DEBUG; 5 is what other projects chose for one.
TRACE = 5
_LEVELS = dict(zip(LOG_LEVELS, (TRACE, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR), strict=True))
_host = logging.getLogger("sentinel.guest")


class GuestLine(msgspec.Struct, gc=False):
    """One line, safe to write out.

    ``time`` is when it was taken out of the buffer; ``request_id`` is ``None`` for what an instance wrote while it
    started.
    """

    time: str
    level: str
    guest: str
    request_id: str | None
    message: str


Sink = Callable[[list[GuestLine], int], None]
"""Takes lines, oldest first, and how many were dropped; called between requests, on the event loop."""


class GuestLog:
    """The log of one worker's guests."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self.buffer = LogBuffer(capacity)

    def drain(self) -> tuple[list[GuestLine], int]:
        """All lines since the last time, oldest first, and how many did not fit into the buffer."""
        data, dropped = self.buffer.drain()
        now = timestamp(datetime.now(UTC).timestamp()) if data else ""
        lines = [
            GuestLine(
                now,
                LOG_LEVELS[line.level],
                line.guest.decode(errors="replace"),
                line.label.decode(errors="replace") or None,
                readable(line.message),
            )
            for line in lines_of(data)
        ]
        return lines, dropped

    def emit(self, sink: Sink | None = None) -> None:
        """Pass all lines on to a sink, by default to ``logging``."""
        lines, dropped = self.drain()
        if lines or dropped:
            (sink or log_lines)(lines, dropped)


def log_lines(lines: list[GuestLine], dropped: int) -> None:
    """The sink into ``logging``; ``record.guest`` and ``record.request_id`` hold where a line comes from."""
    for line in lines:
        logger = logging.getLogger(f"sentinel.guest.{line.guest}")
        logger.log(_LEVELS[line.level], "%s", line.message, extra={"guest": line.guest, "request_id": line.request_id})
    if dropped:
        _host.warning("%d lines of guests were dropped: the buffer was full", dropped)


def timestamp(seconds: float) -> str:
    """A time since 1970 as the log tells it: RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
