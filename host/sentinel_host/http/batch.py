"""Writes that wait for the end of a turn of the event loop, and then leave one after the other.

A turn serves some dozen requests. Written one by one between them, each wakes a peer that has gone to sleep since the
last, which costs the sender more than the write; and the kernel's code and ours take turns in the processor's cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Batched(Protocol):
    """A connection that has something to write."""

    def flush(self) -> None:
        """Write it, if that is still wanted; raises nothing."""


class WriteBatch:
    """The connections, of one event loop, that have something to write when this turn is over."""

    __slots__ = ("_call_soon", "_writers")

    def __init__(self) -> None:
        # The loop's; it is not there yet when the first connections are prepared for.
        self._call_soon: Callable[..., Any] | None = None
        self._writers: list[Batched] = []

    def add(self, writer: Batched) -> None:
        """Have ``writer.flush`` called when the loop has served all that is ready, before what it finds next."""
        if not self._writers:
            if self._call_soon is None:
                self._call_soon = asyncio.get_running_loop().call_soon
            self._call_soon(self._flush)
        self._writers.append(writer)

    def _flush(self) -> None:
        writers = self._writers
        self._writers = []
        for writer in writers:
            writer.flush()
