"""Delays writes to the end of a turn of the event loop.

A turn serves some dozen requests. A write after each of them would wake a sleeping peer each time,
which costs the sender more than the write itself, and would alternate kernel and user code in the
processor's cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Batched(Protocol):
    """A connection that has something to write."""

    def flush(self) -> None:
        """Write what was gathered, unless the connection is lost. Raises nothing."""


class WriteBatch:
    """The connections, of one event loop, that have something to write when this turn is over."""

    __slots__ = ("_call_soon", "_flush_all", "_writers")

    def __init__(self) -> None:
        # The loop's. The loop does not run yet when this object is made.
        self._call_soon: Callable[..., Any] | None = None
        # Made once: a method that is asked for is an object each time.
        self._flush_all: Callable[[], None] = self._flush
        self._writers: list[Batched] = []

    def add(self, writer: Batched) -> None:
        """Call ``writer.flush`` at the end of the loop's current iteration."""
        if not self._writers:
            if self._call_soon is None:
                self._call_soon = asyncio.get_running_loop().call_soon
            self._call_soon(self._flush_all)
        self._writers.append(writer)

    def _flush(self) -> None:
        writers = self._writers
        self._writers = []
        for writer in writers:
            writer.flush()
