"""The write direction of one connection: gathered writes, backpressure, and clients that do not
read.

Rule 1: Writes are gathered until `http.batch` has them leave. Beyond `_GATHER` bytes they leave at
        once, so that the transport's backpressure takes effect.
Rule 2: Every way to end a direction first flushes gathered writes.
Rule 3: A client that acknowledges some bytes in each period is never cut off, however large the
        buffers in between are. A client that acknowledges nothing is reset: after an ordinary close
        the kernel would keep its bytes for minutes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from math import inf
from typing import Final, cast

from sentinel_host.http import acks
from sentinel_host.http.batch import Batched, Output
from sentinel_host.http.server.connections import Connections

# SO_LINGER with a time of zero: the close sends a reset.
_RESET: Final = struct.pack("ii", 1, 0)
# asyncio's own high-water mark for writing.
_GATHER: Final = 64 * 1024
# Below it one copy is cheaper than a scattered write.
COPY_BELOW: Final = 16 * 1024
# What is left to the kernel when a connection closes: a response of ordinary size, as asyncio's
# high-water mark.
LEFT_TO_KERNEL: Final = 64 * 1024


class Writer(Batched, Output):
    """Owns what one transport sends. ``deadline`` is when `expire` is to be called, in the loop's
    time.
    """

    __slots__ = (
        "_flushed",
        "_gathered",
        "_looked_at",
        "_out",
        "_seen",
        "_taken",
        "_waiters",
        "_watched",
        "connections",
        "deadline",
        "loop",
        "lost",
        "paused",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.loop = connections.loop
        self.lost = False
        self.paused = False
        self.deadline = inf
        self._flushed = 0
        # What the client has taken: when the last sweep looked, at the write clock's start, and for
        # `still_reads`.
        self._taken = 0
        self._looked_at = -1.0
        self._watched: int | None = None
        self._seen: int | None = None
        self._out: list[bytes | memoryview] = []
        self._gathered = 0
        self._waiters: list[asyncio.Future[None]] = []

    def attach(self, transport: asyncio.BaseTransport) -> None:
        """Write to ``transport`` from now on."""
        self.transport = cast(asyncio.Transport, transport)

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes when the worker's `WriteBatch` says so, in this turn of the loop."""
        out = self._out
        if not out:
            self.connections.batch.add(self)
        out.append(data)
        self._gathered += len(data)
        if self._gathered > _GATHER:
            self.flush()

    def flush(self) -> None:
        """Send gathered bytes now."""
        out = self._out
        if not out or self.lost:
            return
        self._out = []
        gathered, self._gathered = self._gathered, 0
        self._flushed += gathered
        if len(out) == 1:
            self.transport.write(out[0])
        elif gathered > COPY_BELOW:
            self.transport.writelines(out)
        else:
            self.transport.write(b"".join(out))

    async def emptied(self) -> int:
        """Wait until the kernel has all that was written; the socket's descriptor, to which others
        may write until the next `write`.

        -1 where the transport closes.
        """
        self.flush()
        transport = self.transport
        if transport.get_write_buffer_size():
            # A transport tells that it is empty only if it pauses at the first byte.
            transport.set_write_buffer_limits(0)
            try:
                while self.paused:
                    await self.drained()
            finally:
                if not transport.is_closing():
                    transport.set_write_buffer_limits()
        if self.lost or transport.is_closing() or transport.get_write_buffer_size():
            return -1
        return cast(int, transport.get_extra_info("socket").fileno())

    def relayed(self, size: int) -> None:
        """So many bytes were written to the socket itself."""
        self._flushed += size

    # Backpressure.

    def pause(self) -> None:
        """The transport holds more than its high-water mark."""
        self.paused = True
        self.watch()

    def resume(self) -> None:
        """The transport is below its low-water mark."""
        self.paused = False
        if not self.transport.is_closing():
            self.deadline = inf
        self._wake()

    def blocked(self) -> bool:
        """Whether to await `drained` before more is written.

        True for a closing transport too. It drops what it is given, and an application that never
        waits would never notice the close.
        """
        return self.paused or self.transport.is_closing()

    async def drained(self) -> None:
        """Wait until the transport takes more, or is gone (`lost`)."""
        waiter = self.loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def lose(self) -> None:
        """The transport is gone: wake all that wait, and write nothing more."""
        self.lost = True
        self.paused = False
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    # What the client takes.

    def unsent(self) -> int:
        """Bytes that were written and that the client has not acknowledged, as far as is known."""
        if self._flushed <= LEFT_TO_KERNEL:
            # Callers do not care about so few bytes, and asking the kernel takes longer than
            # closing.
            return self.transport.get_write_buffer_size()
        return acks.unsent(self.transport)

    def taken(self, now: float) -> int:
        """A number that grows by the bytes that the client acknowledges; the kernel is asked once
        per sweep.
        """
        if self._looked_at != now:
            self._looked_at = now
            self._taken = acks.taken(self.transport)
        return self._taken

    def still_reads(self, now: float) -> bool:
        """Whether the client has taken some of what is on its way since this was last asked."""
        if not self.unsent():
            return False
        taken = self.taken(now)
        seen, self._seen = self._seen, taken
        return seen is None or taken - seen >= self.connections.limits.body_progress

    def watch(self) -> None:
        """Watch the client take what is unsent, from the next sweep on."""
        # Only the sweep asks the kernel, not each of the many short waits of a download.
        self._watched = None
        self.deadline = 0.0

    def expire(self, now: float) -> None:
        """The deadline passed: the client took something since and gets as long again, or is
        reset.
        """
        if not self.unsent() and not self.transport.is_closing():
            self.deadline = inf
            return
        taken = self.taken(now)
        limits = self.connections.limits
        if self._watched is None or taken - self._watched >= limits.body_progress:
            self._watched = taken
            self.deadline = now + limits.write_stalled
        else:
            self.connections.hit("write_stalled")
            self.reset()

    # The end.

    def end(self) -> bool:
        """Half-close: the client sees the end once it has read everything. False where the
        transport cannot.
        """
        self.flush()
        if not self.transport.can_write_eof():
            return False
        if not self.transport.is_closing():
            self.transport.write_eof()
        return True

    def close(self) -> None:
        """Close once the kernel has what was written; a client that does not take it meets the
        deadline.
        """
        self.flush()
        self.watch()
        self.transport.close()

    def reset(self) -> None:
        """End so that the client sees that it was no regular end, and that the kernel forgets what
        is unsent.
        """
        self.flush()
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def abort(self) -> None:
        """End at once. The kernel goes on to send what it has."""
        self.flush()
        self.transport.abort()

    def cut_off(self) -> None:
        """End the connection of a client that has stalled."""
        if self.unsent() > LEFT_TO_KERNEL:
            self.reset()
        else:
            self.abort()
