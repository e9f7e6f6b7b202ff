"""The requests of one connection that carries many: alike for HTTP/2 and HTTP/3.

Rule 1: At most `ServerLimits.streams_per_connection` requests at a time, and at most twice as many
        tasks: a client that resets what it has just asked for waits for the tasks that it left
        behind.
Rule 2: Deadlines are numbers that `Connections` compares in one sweep. `deadline` is the nearest of
        all streams', or earlier: it is made exact when it passes.
Rule 3: A request begins when the input that brought it was looked at: one that is reset in the same
        breath has then cost no more than its head.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final

from sentinel_host.errors import ClientError
from sentinel_host.http.field_section import Fields, Malformed
from sentinel_host.http.server.connections import NO_BODY, TARGET_SCHEME, Connections, Listener
from sentinel_host.http.server.limit_exceeded import LimitExceeded, limit_of
from sentinel_host.http.server.phases import DONE
from sentinel_host.http.server.request_body import RequestBody
from sentinel_host.http.server.request_fields import request_fields
from sentinel_host.http.server.scope import ScopeBuilder
from sentinel_host.http.server.sink import ResetReason, StreamSink
from sentinel_host.http.server.stream import Stream, StreamOwner, send_error
from sentinel_host.http.server.stream_tasks import StreamTasks

# What `expire` finds.
NOTHING_LATE: Final = 0
HEAD_LATE: Final = 1
IDLE: Final = 2


class RequestStreams(StreamOwner):
    """``streams`` by number: those of which some direction is open. ``used`` counts requests.

    ``draining``: the connection closes with its last request, which `on_drained` then says.
    """

    __slots__ = (
        "_begins",
        "_connections",
        "_extensions",
        "_head_ends",
        "_idle_ends",
        "_listener",
        "_on_drained",
        "_running",
        "_scopes",
        "_tasks",
        "_version",
        "deadline",
        "draining",
        "is_closed",
        "streams",
        "used",
    )

    def __init__(
        self,
        listener: Listener,
        extensions: dict[str, dict[str, Any]],
        connections: Connections,
        scopes: ScopeBuilder,
        version: str,
        on_drained: Callable[[], None],
    ) -> None:
        self._listener = listener
        self._extensions = extensions
        self._connections = connections
        self._scopes = scopes
        self._version = version
        self._on_drained = on_drained
        self._tasks = StreamTasks(listener.app, connections.loop)
        self._running: set[Stream] = set()
        self._begins: list[Stream] = []
        self._head_ends = inf
        # A connection has as long for its first request as a head has.
        self._idle_ends = self.deadline = connections.loop.time() + connections.limits.head_time
        self.streams: dict[int, Stream] = {}
        self.used = 0
        self.draining = False
        self.is_closed = False

    @property
    def is_idle(self) -> bool:
        """Whether no request's task runs, or is about to."""
        return not self._running

    def idle_since(self) -> float:
        """When the last request ended; infinite while one runs."""
        return self._idle_ends - self._connections.limits.keep_alive_idle

    # Requests.

    def accept(self, number: int, sink: StreamSink, fields: Fields, is_whole: bool, ended: bool) -> bool:
        """Take a request's head; false when it was refused, which the peer has to pay for.

        ``is_whole`` is false for a section beyond `ServerLimits.head_bytes`, ``ended`` when no body
        follows.
        """
        connections = self._connections
        limits = connections.limits
        if len(self.streams) >= limits.streams_per_connection or (
            len(self._running) >= 2 * limits.streams_per_connection
        ):
            connections.hit("streams_per_connection")
            sink.reset(ResetReason.REFUSED)
            return False
        try:
            if not is_whole:
                raise LimitExceeded("head_bytes", "request head too large", 431)
            head = request_fields(fields, limits.header_count)
            if ended and head.length > 0:
                raise Malformed("a body that is too short")
            if limits.body_bytes is not None and head.length > limits.body_bytes:
                raise LimitExceeded("body_bytes", "request body too large", 413)
        except Malformed:
            connections.hit("refused")
            sink.reset(ResetReason.MALFORMED)
            return False
        except ClientError as error:
            connections.hit(limit_of(error))
            send_error(sink, error.status, str(error), connections.date, False)
            if not ended:
                sink.reset(ResetReason.NO_ERROR)
            return False
        connections.requests += 1
        self.used += 1
        extensions = self._extensions
        if head.protocol:
            # To an application it is the request that a client would make on HTTP/1 (RFC 8441
            # section 5).
            head.method = "GET"
            extensions = self._listener.upgrading(head.protocol.lower(), required=True)
        if head.scheme != self._scopes.scheme:
            extensions = {**extensions, TARGET_SCHEME: {"scheme": head.scheme}}
        scope = self._scopes.request(self._listener, self._version, head.method, head.target, head.headers, extensions)
        if ended:
            scope[NO_BODY] = True
        body = RequestBody(
            sink,
            connections,
            self,
            ended=ended,
            expected=head.length,
            expects=head.expects,
            is_call=not ended and head.method == "POST" and _is_call(head.headers),
        )
        stream = Stream(self, sink, number, body, connections, scope)
        self._idle_ends = inf
        self.streams[number] = stream
        stream.is_kept = True
        self._running.add(stream)
        self._begins.append(stream)
        return True

    def begin(self) -> None:
        """Start the requests that were accepted since this was last called."""
        if not self._begins:
            return
        begins, self._begins = self._begins, []
        for stream in begins:
            # The ones before may have had the connection end.
            if not stream.gone:
                self._tasks.serve(stream)

    def fail(self, number: int) -> None:
        """The protocol has reset a stream for what the client did: its application is cancelled."""
        stream = self.streams.get(number)
        if stream is not None:
            self._connections.hit("refused")
            self.close(stream)
            stream.cancel()

    def reset(self, number: int) -> bool:
        """The client has reset a stream; whether it was open."""
        stream = self.streams.get(number)
        if stream is not None:
            self.close(stream)
            stream.cancel()
        return stream is not None

    def close(self, stream: Stream) -> None:
        """The stream has ended in both directions, or was reset by us."""
        if stream.is_kept:
            stream.is_kept = False
            # Where the key is known to be there, `del` takes three fifths of what `pop` does.
            del self.streams[stream.number]

    def finished(self, stream: Stream) -> None:
        """A stream's task has ended, or will not begin."""
        self._running.discard(stream)
        if self._begins and stream in self._begins:
            self._begins.remove(stream)
        if self.is_closed:
            return
        if stream.is_kept:
            self.close(stream)
            # The task was cancelled from outside, or one direction of a tunnel is left: nothing
            # will answer or read.
            stream.sink.reset(ResetReason.CANCELLED if stream.phase == DONE else ResetReason.INTERNAL_ERROR)
        if not self._running:
            if self.draining:
                self._on_drained()
            else:
                self._idle_ends = self._connections.loop.time() + self._connections.limits.keep_alive_idle
                self.watch(self._idle_ends)

    def cancel_all(self) -> None:
        """The connection is gone, or takes no more input: cancel what still answers."""
        self.is_closed = True
        for stream in self._running:
            if stream.task is not None:
                self._connections.keep(stream.task)
        open_streams = list(self.streams.values())
        for stream in open_streams:
            self.close(stream)
        for stream in open_streams:
            stream.cancel()
        self._tasks.close()

    # Deadlines.

    def watch(self, deadline: float) -> None:
        """Have `expire` called when that time has come."""
        if deadline < self.deadline:
            self.deadline = deadline

    def watch_head(self, begun: bool) -> None:
        """A head that is begun has as long as one on HTTP/1."""
        if not begun:
            self._head_ends = inf
        elif self._head_ends == inf:
            self._head_ends = self._connections.loop.time() + self._connections.limits.head_time
            self.watch(self._head_ends)

    def expire(self, now: float) -> int:
        """Look at all deadlines: `HEAD_LATE` and `IDLE` are the connection's end, already
        counted.
        """
        if self._head_ends <= now:
            self._connections.hit("head_time")
            return HEAD_LATE
        if self._idle_ends <= now:
            self._connections.hit("keep_alive_idle" if self.used else "head_time")
            return IDLE
        nearest = inf
        for stream in list(self.streams.values()):
            nearest = min(nearest, stream.expire(now))
        self.deadline = min(nearest, self._head_ends, self._idle_ends)
        return NOTHING_LATE


def _is_call(headers: Fields) -> bool:
    """Whether these are a gRPC call's: its messages may be small, and hours apart."""
    for name, value in headers:
        if name == b"content-type":
            return value.startswith(b"application/grpc")
    return False
