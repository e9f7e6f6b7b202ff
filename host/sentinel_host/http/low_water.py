"""A socket's low-water mark for reads: how many bytes wake its reader (SO_RCVLOWAT, tcp(7)).

To be woken costs the reader a turn of its loop, and the sender the acknowledgement of each read.
Who sends fast fills a larger piece in no time. Rule: the mark is up only while pieces keep coming,
so that nothing waits in the kernel for longer than two `_LOOK_AGAIN`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

PIECE: Final = 1 << 18
"""Bytes that wake the reader of a socket whose sender is fast."""

_FAST: Final = PIECE // 2
"""Bytes that one read found, if the sender is."""

_LOOK_AGAIN: Final = 0.005
"""Seconds without a read after which the sender no longer is."""


class LowWaterMark:
    """That of one socket, which is raised and lowered with what its reader takes."""

    __slots__ = ("_has_read", "_loop", "_socket", "_timer")

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=descriptor)
        self._loop = loop
        self._has_read = False
        self._timer: asyncio.TimerHandle | None = None

    def took(self, size: int, left: int) -> None:
        """The reader took so many bytes, and will take ``left`` more."""
        self._has_read = True
        if left <= PIECE:
            self.lower()
        elif self._timer is None and size >= _FAST:
            self._set(PIECE)
            self._look_again()

    def lower(self) -> None:
        """Any byte wakes the reader."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._set(1)

    def leave(self) -> None:
        """Lower it, and leave the socket to its owner."""
        self.lower()
        self._socket.detach()

    def _look_again(self) -> None:
        self._has_read = False
        self._timer = self._loop.call_later(_LOOK_AGAIN, self._look)

    def _look(self) -> None:
        if self._has_read:
            self._look_again()
        else:
            self.lower()

    def _set(self, size: int) -> None:
        # Whatever the kernel says to it, the bytes come.
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
