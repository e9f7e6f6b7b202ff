"""What any connection is: who talks to whom, what it writes, the client that does not read, and the ways to end.

Rule 1: What is written within one turn of the loop leaves in one write, beside those of other connections; beyond
        `_GATHER` bytes it leaves at once, so that the transport's own backpressure is felt.
Rule 2: Whatever ends a direction lets what was gathered leave first.
Rule 3: Who takes something of what is on its way, again and again, is never cut off for it, however large the buffers
        between are. Who does not is reset: an ordinary close would leave these to the kernel, for minutes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from math import inf
from typing import Any, Final, cast
from urllib.parse import unquote

from sentinel_host.http import acks
from sentinel_host.http.server.connections import EMPTY_QUERY, Connections, Listener
from sentinel_host.http.server.writer import COPY_BELOW, LEFT_TO_KERNEL

# SO_LINGER with a time of zero: the close sends a reset.
_RESET: Final = struct.pack("ii", 1, 0)
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
# asyncio's own high-water mark for writing.
_GATHER: Final = 64 * 1024


class WritingSide:
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    Knows whether the transport takes more, and when its client was last seen to take anything."""

    __slots__ = (
        "_client",
        "_drain_waiters",
        "_first_scope",
        "_flushed",
        "_gathered",
        "_looked_at",
        "_out",
        "_scheme",
        "_seen",
        "_server",
        "_taken",
        "_watched",
        "client_host",
        "connections",
        "loop",
        "lost",
        "tls",
        "transport",
        "write_deadline",
        "write_paused",
    )

    transport: asyncio.Transport
    # The peer's address, as connections per client are counted; None on a Unix socket.
    client_host: str | None
    read_deadline: float
    _client: tuple[Any, ...] | None

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.loop = connections.loop
        self.lost = False
        self.tls = False
        self.write_paused = False
        self.write_deadline = inf
        self._first_scope: dict[str, Any] | None = None
        self._flushed = 0
        # What the client has taken: when the last sweep looked, at the write clock's start, and for `still_reads`.
        self._taken = 0
        self._looked_at = -1.0
        self._watched: int | None = None
        self._seen: int | None = None
        self._out: list[bytes | memoryview] = []
        self._gathered = 0
        self._drain_waiters: list[asyncio.Future[None]] = []

    def attach(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, and learn from it who talks to whom and how."""
        self.transport = cast(asyncio.Transport, transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if type(peer) is tuple:
            self.client_host = peer[0]
            self._client, self._server = peer[:2], own[:2]
        else:
            self.client_host = self._client = None
            self._server = (own, None)
        self.tls = transport.get_extra_info("ssl_object") is not None
        self._scheme = "https" if self.tls else "http"

    def _scope(
        self,
        listener: Listener,
        version: str,
        method: str,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        extensions: dict[str, dict[str, Any]],
    ) -> dict[str, Any]:
        """The ASGI scope of a request on this connection."""
        first = self._first_scope
        if first is None:
            first = self._first_scope = {
                "type": "http",
                "asgi": _ASGI,
                "http_version": version,
                "method": method,
                "scheme": self._scheme,
                "path": "",
                "raw_path": b"",
                "query_string": b"",
                "root_path": "",
                "headers": [],
                "client": self._client,
                "server": self._server,
                "state": {},
                "extensions": {},
            }
        # To copy them all and replace half costs half of what it does to put them together anew.
        scope = first.copy()
        raw_path, mark, query = target.partition(b"?")
        if mark and not query:
            extensions = {**extensions, EMPTY_QUERY: {}}
        path = raw_path.decode("ascii")
        scope["http_version"] = version
        scope["method"] = method
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        scope["headers"] = headers
        scope["state"] = listener.state.copy()
        scope["extensions"] = extensions
        return scope

    def write(self, data: bytes | memoryview) -> None:
        """Have bytes leave with this turn of the loop."""
        out = self._out
        if not out:
            self.connections.batch.add(self)
        out.append(data)
        self._gathered += len(data)
        if self._gathered > _GATHER:
            self.flush()

    def flush(self) -> None:
        """Have what was gathered leave now."""
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

    def pause_writing(self) -> None:
        """The transport holds more than its high-water mark."""
        self.write_paused = True
        self._watch_unsent()

    def resume_writing(self) -> None:
        """The transport is below its low-water mark."""
        self.write_paused = False
        if not self.transport.is_closing():
            self.write_deadline = inf
        self._wake_writers()

    async def drained(self) -> None:
        """Wait until the transport takes more, or is gone: the next `send` tells which."""
        waiter = self.loop.create_future()
        self._drain_waiters.append(waiter)
        await waiter

    def _wake_writers(self) -> None:
        for waiter in self._drain_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._drain_waiters.clear()

    def unsent(self) -> int:
        """Bytes that were written and that the client has not acknowledged, as far as is known."""
        if self._flushed <= LEFT_TO_KERNEL:
            # So much is of no interest, and to ask the kernel takes longer than to close.
            return self.transport.get_write_buffer_size()
        return acks.unsent(self.transport)

    def taken(self, now: float) -> int:
        """A number that grows by the bytes that the client acknowledges; asked for once for all streams of a sweep."""
        if self._looked_at != now:
            self._looked_at = now
            self._taken = acks.taken(self.transport)
        return self._taken

    def _still_reads(self, now: float) -> bool:
        """Whether the client has taken some of what is on its way since this was last asked."""
        if not self.unsent():
            return False
        taken = self.taken(now)
        seen, self._seen = self._seen, taken
        return seen is None or taken - seen >= self.connections.limits.body_progress

    def _watch_unsent(self) -> None:
        # The kernel is asked with the next sweep, and not for each of the many short waits that a download has.
        self._watched = None
        self.write_deadline = 0.0

    def _expire_writing(self, now: float) -> None:
        """The write deadline passed: the client took something since and gets as long again, or is cut off."""
        if not self.unsent() and not self.transport.is_closing():
            self.write_deadline = inf
            return
        taken = self.taken(now)
        limits = self.connections.limits
        if self._watched is None or taken - self._watched >= limits.body_progress:
            self._watched = taken
            self.write_deadline = now + limits.write_stalled
        else:
            self.connections.hit("write_stalled")
            self._reset()

    def next_deadline(self) -> float:
        """When `expire` is to be called."""
        return min(self.read_deadline, self.write_deadline)

    def _close(self) -> None:
        """Close once the kernel has what was written; a client that does not take it meets the write deadline."""
        self.flush()
        self._watch_unsent()
        self.transport.close()

    def _reset(self) -> None:
        """End so that the client sees that it was no regular end, and that the kernel forgets what is unsent."""
        self.flush()
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def abort(self) -> None:
        """End at once: grace is over. The kernel goes on to send what it has."""
        self.flush()
        self.transport.abort()

    def _cut_off(self) -> None:
        """End at once, for the client does not do its part."""
        if self.unsent() > LEFT_TO_KERNEL:
            self._reset()
        else:
            self.abort()
