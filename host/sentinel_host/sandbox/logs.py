"""What guests log, on its way to Python's ``logging``: logger ``sentinel.guest.<name>``, one record
a line.

A guest's text is untrusted. Whatever is not printable, line ends and terminal controls above all,
is written as an escape; bytes that are not UTF-8 become U+FFFD. So one line of a guest is one line
of the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from sentinel_host.abi.contract import LOG_LEVELS
from sentinel_host.native.log import DEFAULT_CAPACITY, LogBuffer, LogLine, labelled_lines, lines_of, relabel
from sentinel_host.sandbox.text import readable

# logging has no level below DEBUG; 5 is what other projects chose for one.
TRACE = 5
_LEVELS = dict(zip(LOG_LEVELS, (TRACE, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR), strict=True))
_encode_lines: Final = msgspec.json.Encoder().encode_lines
_host = logging.getLogger("sentinel.guest")


class GuestLine(msgspec.Struct, gc=False):
    """One line, safe to write out.

    ``time`` is when it was taken out of the buffer; ``request_id`` is ``None`` for what an instance
    wrote while it started.
    """

    time: str
    level: str
    guest: str
    request_id: str | None
    message: str


class GuestLines:
    """Lines that were taken out of the buffer, oldest first: to be iterated over, or written as
    JSON at once.
    """

    __slots__ = ("_buffer", "_data", "_milliseconds")

    def __init__(self, buffer: LogBuffer, data: bytes) -> None:
        self._buffer = buffer
        self._data = data
        self._milliseconds = time.time_ns() // 1_000_000

    def __iter__(self) -> Iterator[GuestLine]:
        when = self._time()
        return (_guest_line(line, when) for line in lines_of(self._data))

    def of(self, labels: Container[bytes]) -> list[tuple[bytes, GuestLine]]:
        """The lines with one of these labels, each with its label."""
        when = self._time()
        return [(line.label, _guest_line(line, when)) for line in labelled_lines(self._data, labels)]

    def json(self, least: str) -> bytes:
        """The lines from a level up, each as a JSON object of a `GuestLine`'s fields in a line of
        its own.

        C writes those that are plain, which nearly all are.
        """
        level = LOG_LEVELS.index(least)
        pieces = []
        start = 0
        while start < len(self._data):
            piece, end = self._buffer.render(self._data, start, level, self._milliseconds)
            if end == start:
                line = next(lines_of(self._data, start))
                piece, end = _encode_lines([_guest_line(line, self._time())]), line.end
            pieces.append(piece)
            start = end
        return b"".join(pieces)

    def _time(self) -> str:
        return timestamp(self._milliseconds / 1000)


def _guest_line(line: LogLine, when: str) -> GuestLine:
    return GuestLine(
        when,
        LOG_LEVELS[line.level],
        line.guest.decode("utf-8", "replace"),
        line.label.decode("utf-8", "replace") or None,
        readable(line.message),
    )


Sink = Callable[[GuestLines, int], None]
"""Takes lines and how many were dropped; called between requests, on the event loop."""


class GuestLog:
    """The log of one worker's guests; ``buffer`` is where they write."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self.buffer = LogBuffer(capacity)
        self._added = b""
        self._lost = 0

    def add(self, lines: LogBuffer, label: bytes) -> None:
        """Take over lines that were written elsewhere, each with that label, and tell of those that
        were dropped.
        """
        data, dropped = lines.drain()
        self._added += relabel(data, label)
        self._lost += dropped

    def drain(self) -> tuple[list[GuestLine], int]:
        """All lines since the last time, oldest first, and how many did not fit into the buffer."""
        data, dropped = self._drain()
        return list(GuestLines(self.buffer, data)), dropped

    def emit(self, sink: Sink | None = None) -> None:
        """Pass all lines on to a sink, by default to ``logging``."""
        data, dropped = self._drain()
        if data or dropped:
            (sink or log_lines)(GuestLines(self.buffer, data), dropped)

    def _drain(self) -> tuple[bytes, int]:
        data, dropped = self.buffer.drain()
        if self._added or self._lost:
            data, dropped = data + self._added, dropped + self._lost
            self._added, self._lost = b"", 0
        return data, dropped


def log_lines(lines: GuestLines, dropped: int) -> None:
    """The sink into ``logging``; ``record.guest`` and ``record.request_id`` hold where a line comes
    from.
    """
    for line in lines:
        logger = logging.getLogger(f"sentinel.guest.{line.guest}")
        logger.log(_LEVELS[line.level], "%s", line.message, extra={"guest": line.guest, "request_id": line.request_id})
    if dropped:
        _host.warning("%d lines of guests were dropped: the buffer was full", dropped)


def timestamp(seconds: float) -> str:
    """A time since 1970 as the log tells it: RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
