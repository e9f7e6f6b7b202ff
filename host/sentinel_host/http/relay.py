"""A long body's way from one socket to another within the kernel (splice of Linux).

Rule 1: descriptors are duplicates, because the loop watches those of its transports by itself. They
        are closed with the relay, so that a connection that ends meanwhile does end.
Rule 2: the source is read only while the pipe is empty. So a sink that takes nothing holds one
        pipe's bytes back, and a source that has ended leaves none behind.
Rule 3: a source that sends fast wakes the relay for larger pieces.
Rule 4: what goes wrong at the source is left to its transport, which meets the same once it reads
        again.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
from typing import Final, Protocol

from sentinel_host.http.low_water import LowWaterMark
from sentinel_host.http.wakeup import Wakeup

RELAY: Final = "sentinel.relay"
"""The scope extension of a server that can take a body from a socket, and the type of the message
that asks for it. ``source`` is a `RelaySource`; the message follows a piece of a body. ``send``
takes any number of bytes, perhaps none, and counts them at the source.
"""

CAN_RELAY: Final = hasattr(os, "splice")

RELAY_SOURCE: Final = "sentinel.relay_source"
"""In an ``http.request`` message of such a server: the `RelaySource` of what follows this piece of
the body. Whoever changes the body leaves it out.
"""

KEPT: Final = 65536
"""The end of a body is read in the ordinary way, which knows what follows it."""

MAX_RELAYS: Final = 64
"""In a worker. Each has a pipe of 1 MiB, which a peer that does not read keeps full. The kernel lets
an ordinary user have 64 of them.
"""

LEAST: Final = 1 << 20
"""Bytes of a body below which a relay is not worth its pipe."""

_PIPE_SIZE: Final = 1 << 20
"""What a pipe of an ordinary user holds at most (pipe-max-size)."""


class RelaySource(Protocol):
    """Where a relay reads. ``arrival`` rings when nothing more can come; a relay rings it, too."""

    arrival: Wakeup

    def relayable(self) -> int:
        """How many bytes of the body may be read from the socket itself now."""
        ...

    def begin_relay(self) -> int:
        """Leave the socket's bytes to the relay, until `end_relay`; its descriptor, or OSError."""
        ...

    def relayed(self, size: int) -> None:
        """So many bytes were taken."""
        ...

    def stall(self, stalled: bool) -> None:
        """Whether the relay waits for the sink: that time is not the source's."""
        ...

    def is_alive(self) -> bool:
        """Whether more may come."""
        ...

    def end_relay(self) -> None:
        """Read what follows."""
        ...


class RelaySink(Protocol):
    """Where a relay writes."""

    async def emptied(self) -> int:
        """Wait until the kernel has all that was written before; the socket's descriptor. -1: it
        takes nothing from a relay.
        """
        ...

    def relayed(self, size: int) -> None:
        """So many bytes were written."""
        ...

    def block(self, blocked: bool) -> None:
        """Whether the socket takes nothing now."""
        ...

    def break_off(self) -> None:
        """The socket takes nothing any more."""
        ...


class Relay:
    """Moves bytes; for one use."""

    def __init__(self, source: RelaySource, sink: RelaySink) -> None:
        self._source = source
        self._sink = sink
        self._left = source.relayable()
        self._in_pipe = 0
        self._is_blocked = False
        self._mark: LowWaterMark | None = None
        self._errors = select.poll()
        self._from = self._to = self._pipe_out = self._pipe_in = -1
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Move nothing more, from now on. `run` is to be cancelled."""
        if self._to >= 0:
            self._loop.remove_reader(self._from)
            self._loop.remove_writer(self._to)

    async def run(self) -> None:
        """Move what the source says, or less.

        Does not return once the sink has gone: whoever waits is to be cancelled.
        """
        source = self._source
        try:
            self._from = source.begin_relay()
        except OSError:
            # There are too many descriptors, or pages of pipes below: the body goes the ordinary
            # way.
            return
        try:
            source.stall(True)
            descriptor = await self._sink.emptied()
            source.stall(False)
            if descriptor < 0 or not source.is_alive() or not self._open(descriptor):
                return
            self._errors.register(self._from, 0)
            self._mark = LowWaterMark(self._from, self._loop)
            self._loop.add_reader(self._from, self._read)
            await source.arrival
        finally:
            self.stop()
            if self._mark is not None:
                self._mark.leave()
            self._close()
            if self._is_blocked:
                self._unblock()
            source.end_relay()

    def _open(self, descriptor: int) -> bool:
        try:
            self._pipe_out, self._pipe_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            fcntl.fcntl(self._pipe_in, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
            self._to = os.dup(descriptor)
        except OSError:
            return False
        return True

    def _read(self) -> None:
        try:
            size = os.splice(self._from, self._pipe_in, min(self._left, _PIPE_SIZE), flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._source.arrival.ring_soon()
            return
        # libuv tells of an error once, and of nothing more: not that there are still bytes to read.
        events = self._errors.poll(0)
        self._left = 0 if events and events[0][1] & select.POLLERR else self._left - size
        self._in_pipe = size
        self._source.relayed(size)
        if self._mark is not None:
            self._mark.took(size, self._left)
        self._write()

    def _write(self) -> None:
        try:
            while self._in_pipe:
                size = os.splice(self._pipe_out, self._to, self._in_pipe, flags=os.SPLICE_F_NONBLOCK)
                self._in_pipe -= size
                self._sink.relayed(size)
        except BlockingIOError:
            if not self._is_blocked:
                self._is_blocked = True
                # In this order, for a descriptor that waits for nothing is forgotten.
                self._loop.add_writer(self._to, self._write)
                self._loop.remove_reader(self._from)
                self._sink.block(True)
                self._source.stall(True)
            return
        except OSError:
            self.stop()
            self._sink.break_off()
            return
        if self._is_blocked:
            self._loop.remove_writer(self._to)
            self._unblock()
            if self._left:
                self._loop.add_reader(self._from, self._read)
        if not self._left:
            self._source.arrival.ring_soon()

    def _unblock(self) -> None:
        self._is_blocked = False
        self._sink.block(False)
        self._source.stall(False)

    def _close(self) -> None:
        for descriptor in (self._from, self._to, self._pipe_out, self._pipe_in):
            if descriptor >= 0:
                os.close(descriptor)
        self._from = self._to = self._pipe_out = self._pipe_in = -1
