"""When gathered writes leave: at the end of the transport's call that caused them, or of the loop's
turn.

A turn of a busy loop makes some dozen calls. A write after each of them would wake a sleeping peer
each time, which costs the sender more than the write itself, and would alternate kernel and user
code in the processor's cache. A turn of a quiet loop makes one call, and then a callback that
flushes costs as much as the writes, and another look at all sockets.

Rule 1: Writes wait for the end of the turn, unless many turns in a row have made one call each
        (`_QUIET`). How many a turn makes is only known of one that has flushed at its end: each such
        turn decides for the calls after it (`_MOST_AT_ONCE`).
Rule 2: What is written outside `enter` and `leave` waits for the end of the turn.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol
from weakref import WeakKeyDictionary

# Turns of one call in a row that make a loop quiet. A busy one makes a few now and then; there, each
# write at once wakes a peer that would have been woken once for several.
_QUIET: Final = 16
# Calls that flush at once before the calls of a turn are counted again. With more of them, a loop
# that becomes busy would take longer to notice; with fewer, a quiet one would save less.
_MOST_AT_ONCE: Final = 63


class Batched(Protocol):
    """A connection that has something to write.

    Compiled code calls what inherits from it at once, and looks the method of anything else up by
    its name.
    """

    __slots__ = ()

    def flush(self) -> None:
        """Write what was gathered, unless the connection is lost. Raises nothing."""


class Output(Protocol):
    """Gathers what is written; inherited from for the same reason."""

    __slots__ = ()

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes with the others of this turn."""


class WriteBatch:
    """The connections, of one event loop, that have something to write."""

    __slots__ = ("_at_once", "_calls", "_in_call", "_is_scheduled", "_quiet", "_run", "_writers")

    def __init__(self) -> None:
        self._writers: list[Batched] = []
        self._in_call = self._is_scheduled = False
        # Calls of this turn, since the first that had something to write.
        self._calls = 0
        # Turns of one call in a row, of those that were looked at.
        self._quiet = 0
        # Calls that may still flush at once, and how many could after the last turn that was
        # looked at.
        self._at_once = self._run = 0

    def enter(self) -> None:
        """A transport calls its protocol. `leave` must follow, whatever is raised."""
        self._in_call = True

    def leave(self) -> None:
        """The call is over: call ``flush`` of those that have something to write, now or at the end
        of the loop's current turn.
        """
        self._in_call = False
        if not self._writers:
            return
        if self._is_scheduled:
            self._calls += 1
        elif self._at_once:
            self._at_once -= 1
            self._flush()
        else:
            self._schedule()

    def add(self, writer: Batched) -> None:
        """Call ``writer.flush`` when the current call is over, or the loop's current turn."""
        self._writers.append(writer)
        if not self._in_call:
            if self._is_scheduled:
                self._calls += 1
            else:
                self._schedule()

    def _schedule(self) -> None:
        self._is_scheduled = True
        self._calls = 1
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._is_scheduled = False
        self._quiet = min(self._quiet + 1, _QUIET) if self._calls == 1 else 0
        # Twice as many after each such turn, so that a loop that is busy now and then mostly waits.
        self._run = min(2 * self._run + 1, _MOST_AT_ONCE) if self._quiet == _QUIET else 0
        self._at_once = self._run
        self._flush()

    def _flush(self) -> None:
        writers = self._writers
        self._writers = []
        for writer in writers:
            writer.flush()


_batches: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, WriteBatch]] = WeakKeyDictionary()


def batch_of(loop: asyncio.AbstractEventLoop) -> WriteBatch:
    """The one of ``loop``: a call for a client may cause writes to upstreams, and the other way
    round.
    """
    batch = _batches.get(loop)
    if batch is None:
        batch = _batches[loop] = WriteBatch()
    return batch
