"""What the connections of one worker share: limits, counts, the clock's sweep and the way to a
quiet end.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from math import inf
from time import time
from typing import Any, Final, Protocol

from sentinel_host.http.batch import WriteBatch, batch_of
from sentinel_host.http.server.deferred import DeferredInput
from sentinel_host.http.server.limits import ServerLimits

_log: Final = logging.getLogger(__name__)

# How long a connection that was in use just now may take to send one more request during shutdown.
_LAST_REQUEST: Final = 0.5
# What a cancelled request may take to clean up; with two of them shutdown stays within grace + 1 s.
_CANCEL_TIME: Final = 0.4

# A worker at rest is swept more rarely, by this much: the shortest deadline is then noticed late by
# at most half of itself. At least once a second, for Date.
_REST: Final = 5
_LONGEST_REST: Final = 1.0

# The scope extension of a request that asks for another protocol. An application that sends
# `ACCEPT`, with the fields of the handshake's answer as ``headers``, has a tunnel: `http.request`
# and `http.response.body` then carry its bytes, and an end of one (no ``more_body``) leaves the
# other open.
EXTENSION: Final = "sentinel.upgrade"
ACCEPT: Final = "sentinel.upgrade.accept"

# The type of a message that is a whole response: ``status``, ``headers`` and ``body``. As two
# messages it would take two calls of ``send``, each of which costs as much as framing a head.
WHOLE: Final = "sentinel.whole_response"

# What ASGI cannot say of a target, on the requests of which it is true: that it ends in ``?``, as
# an empty query is not the same as none (RFC 3986 section 6.2.3), and that its scheme, which stands
# under ``scheme``, is not what the connection has.
EMPTY_QUERY: Final = "sentinel.empty_query"
TARGET_SCHEME: Final = "sentinel.target_scheme"

# A key of the scope, true of a request on HTTP/2 or HTTP/3 that has no body: its head ended the
# stream. No extension, for nearly all requests share one mapping of those.
NO_BODY: Final = "sentinel.no_body"

# What a connection's TLS says of its requests, where it says something: ``serves``, as
# `ServerSslObject` has it, and ``client_certificate``, as `RequestHead` has it.
TLS: Final = "sentinel.tls"

# An ASGI 3 application, as loosely typed as the specification leaves it.
Application = Callable[..., Any]
# Takes a transport and the bytes read so far, once they turn out to be HTTP/2.
UpgradeToHttp2 = Callable[[asyncio.Transport, bytes], None]


class ServerConnection(Protocol):
    """A client's connection as its worker sees it, in whatever protocol."""

    def next_deadline(self) -> float:
        """The nearest of its deadlines, in the loop's time; `inf` when there is none."""

    def expire(self, now: float) -> None:
        """A deadline passed."""

    def wind_down(self) -> None:
        """The worker is shutting down: take no more than what is on its way."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered."""

    def abort(self) -> None:
        """End at once."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What one listening socket gives every scope: a name (``public``, ``admin``), application,
    lifespan state.
    """

    name: str
    app: Application
    state: dict[str, Any] = field(default_factory=dict)
    upgrade_to_http2: UpgradeToHttp2 | None = None

    def extensions(self) -> dict[str, dict[str, Any]]:
        """The ``extensions`` of every scope of this listener: one dict for all, which no
        application may change.
        """
        return {
            "http.response.trailers": {},
            "http.response.informational": {},
            "sentinel.cancel_on_disconnect": {},
            WHOLE: {},
            "sentinel.listener": {"name": self.name},
        }

    def upgrading(self, protocol: bytes, *, required: bool) -> dict[str, dict[str, Any]]:
        """The ``extensions`` of a request that would change to another protocol (see `EXTENSION`).

        ``required`` is true where the request has no meaning without it.
        """
        return {**self.extensions(), EXTENSION: {"protocol": protocol, "required": required}}


class Connections:
    """The connections of one worker.

    Plain counters for metrics: ``open``, ``accepted``, ``requests`` and ``limits_hit``, how often
    by field of `ServerLimits`, with ``refused`` for malformed requests.

    ``date`` is the Date field's value now, and ``date_line`` the field as heads of HTTP/1 end.
    """

    loop: asyncio.AbstractEventLoop
    batch: WriteBatch
    deferred: DeferredInput

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.active: set[ServerConnection] = set()
        self.open = 0
        self.accepted = 0
        self.requests = 0
        self.limits_hit: dict[str, int] = {}
        self.date = self.date_line = b""
        self.closing = False
        self.refused = 0
        self.relays = 0
        self._kept: set[asyncio.Task[None]] = set()
        self._per_client: dict[bytes | str, int] = {}
        self._emptied: asyncio.Future[None] | None = None
        self._interval = limits.sweep_interval()
        # Connections and requests up to the last sweep.
        self._used = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch the deadlines of the connections that ``loop`` serves."""
        self.loop = loop
        self.batch = batch_of(loop)
        self.deferred = DeferredInput(loop)
        self._sweep()

    def hit(self, limit: str) -> None:
        """Count one limit that was reached."""
        self.limits_hit[limit] = self.limits_hit.get(limit, 0) + 1

    def admit(self, client: str | None) -> str | None:
        """Count a new connection; the name of the limit that it exceeds, if any. Each is to be
        `release`d once.
        """
        self.accepted += 1
        self.open += 1
        key = _client_key(client)
        count = self._per_client[key] = self._per_client.get(key, 0) + 1
        if self.open > self.limits.connections:
            return "connections"
        if count > self.limits.connections_per_client and client is not None:
            return "connections_per_client"
        return None

    def release(self, client: str | None) -> None:
        """Forget a connection that ended."""
        self.open -= 1
        key = _client_key(client)
        count = self._per_client[key] - 1
        if count:
            self._per_client[key] = count
        else:
            del self._per_client[key]
        if not self.active and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a request's task whose connection is gone, until it ends."""
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    def _sweep(self) -> None:
        """Look at every deadline at once: a timer per request would cost more than the requests'
        own bookkeeping.
        """
        now = self.loop.time()
        self.date = formatdate(time(), usegmt=True).encode()
        self.date_line = b"\r\ndate: %s" % self.date
        # First of all, so that an error does not end the sweeps.
        self._timer = self.loop.call_later(self._interval, self._sweep)
        nearest = inf
        due = []
        for connection in self.active:
            deadline = connection.next_deadline()
            if deadline <= now:
                due.append(connection)
            elif deadline < nearest:
                nearest = deadline
        for connection in due:
            try:
                connection.expire(now)
            except Exception:
                _log.exception("a connection could not be ended as it should, and is aborted")
                connection.abort()
        used = self.accepted + self.requests
        rest = min(nearest - now, self._interval * _REST, _LONGEST_REST)
        if used == self._used and not due and rest > self._interval:
            # Nothing was begun: no deadline is new that is as short as the interval is made for.
            self._timer.cancel()
            self._timer = self.loop.call_later(rest, self._sweep)
        self._used = used

    async def drain(self, grace: float) -> None:
        """Let requests in flight end, at most ``grace`` seconds, then cancel them. Idle connections
        close at once.

        A connection that was used within the last fraction of a second may have its next request on
        the way: it is answered, with ``Connection: close``, so that a client in full flow loses
        nothing.
        """
        self.closing = True
        for connection in list(self.active):
            connection.wind_down()
        await self._until_empty(min(grace, _LAST_REQUEST))
        for connection in list(self.active):
            connection.close_if_idle()
        await self._until_empty(grace - _LAST_REQUEST)
        for connection in list(self.active):
            connection.abort()
        await self._until_empty(_CANCEL_TIME)
        if self._kept:
            await asyncio.wait(self._kept, timeout=_CANCEL_TIME)

    async def _until_empty(self, seconds: float) -> None:
        if self.active and seconds > 0:
            self._emptied = self.loop.create_future()
            await asyncio.wait([self._emptied], timeout=seconds)

    def stop(self) -> None:
        """End the sweep; nothing is served after it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _client_key(client: str | None) -> bytes | str:
    """What counts as one client: an IPv4 address, or the /64 network of an IPv6 host."""
    if client is None or ":" not in client:
        return client or ""
    return ipaddress.IPv6Address(client.partition("%")[0]).packed[:8]
