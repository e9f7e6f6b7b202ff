"""What any connection is: who talks to whom, what it writes, the client that does not read, and the ways to end.

Rule 1: What is written within one turn of the loop leaves in one write, beside those of other connections; beyond
        `_GATHER` bytes it leaves at once, so that the transport's own backpressure is felt.
Rule 2: Whatever ends a direction lets what was gathered leave first.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from math import inf
from typing import Any, Final, cast
from urllib.parse import unquote

from sentinel_host.http.lane.connections import EMPTY_QUERY, Connections, Listener

# SO_LINGER with a time of zero: the close sends a reset.
_RESET: Final = struct.pack("ii", 1, 0)
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
# asyncio's own high-water mark for writing.
_GATHER: Final = 64 * 1024
# Below it one copy is cheaper than a scattered write.
COPY_BELOW: Final = 16 * 1024


class WritingSide:
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    Knows whether the transport takes more, and when its client was last seen to take anything."""

    __slots__ = (
        "_client",
        "_drain_waiters",
        "_first_scope",
        "_gathered",
        "_out",
        "_scheme",
        "_server",
        "_unsent",
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
    _client: tuple[Any, ...] | None

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.loop = connections.loop
        self.lost = False
        self.tls = False
        self.write_paused = False
        self.write_deadline = inf
        self._first_scope: dict[str, Any] | None = None
        self._unsent = 0
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
        if len(out) == 1:
            self.transport.write(out[0])
        elif gathered > COPY_BELOW and not self.tls:
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

    def _watch_unsent(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self.write_deadline = self.loop.time() + self.connections.limits.write_stalled

    def _expire_writing(self) -> None:
        """The write deadline passed: the client took something since and gets as long again, or is cut off."""
        if self.transport.get_write_buffer_size() < self._unsent:
            self._watch_unsent()
        else:
            self.connections.hit("write_stalled")
            self.abort()

    def _close(self) -> None:
        """Close once what was written is sent; a client that does not take it meets the write deadline."""
        self.flush()
        self._watch_unsent()
        self.transport.close()

    def _reset(self) -> None:
        """End so that the client sees that it was no regular end."""
        self.flush()
        sock = self.transport.get_extra_info("socket")
        if sock is not None and not self.tls:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def abort(self) -> None:
        """End at once: grace is over, or the client does not do its part."""
        self.flush()
        self.transport.abort()
