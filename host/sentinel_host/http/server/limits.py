"""What one client may ask of a worker: sizes, counts and deadlines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Sizes in bytes, times in seconds; ``None`` means unlimited where it is allowed.

    Every limit that is hit is counted under its field's name in ``Connections.limits_hit``.
    """

    # nginx reads a head into 4 buffers of 8 KiB (large_client_header_buffers), request line
    # included.
    head_bytes: int = 32 * 1024
    # Apache LimitRequestFields and hyper: 100.
    header_count: int = 100
    # mod_reqtimeout gives a head 20 s, Go's advice is 5 to 10; counted from the first byte, or from
    # accept.
    head_time: float = 10.0
    # HAProxy's `timeout client` is advised at 30 s; nginx client_body_timeout is 60 s between two
    # reads. A response that flows counts as well: on a stream both ways, one side is often silent.
    body_idle: float = 30.0
    # Apache's MinRate is 500 B/s. A trickle is as idle as silence: the clock restarts with each
    # KiB, not each byte. The same goes for what a client takes of a response within
    # `write_stalled`.
    body_progress: int = 1024
    # Envoy and nginx have none: a large upload on a slow line is legitimate.
    body_time: float | None = None
    # Envoy and hyper have none, nginx 1 MiB: bodies are streamed here and never collected.
    body_bytes: int | None = None
    # nginx send_timeout is 60 s between two successful writes; half of it, as for bodies.
    write_stalled: float = 30.0
    # nginx keepalive_timeout: 75 s.
    keep_alive_idle: float = 75.0
    # nginx keepalive_requests is 1,000; raised because nothing here grows with a connection's age.
    requests_per_connection: int = 10_000
    # What TechEmpower's pipelining clients keep in flight; reading pauses beyond it.
    pipelined_requests: int = 16
    # RFC 9113 6.5.2 wants at least 100, nginx has 128, hyper 200: requests at a time on one HTTP/2
    # connection.
    streams_per_connection: int = 100
    # nghttp2 since CVE-2023-44487 allows 1,000 resets at once and 33 a second; half of that, for
    # pings, settings, empty frames and every other frame that makes work and carries nothing.
    idle_frames: int = 500
    idle_frames_per_second: int = 33
    # HAProxy `timeout tunnel` is advised at 1 h: an upgraded connection on which nothing moves
    # either way.
    tunnel_idle: float = 3600.0
    # HAProxy `timeout client-fin`: how long a response may stay silent once the client shut its
    # write side.
    half_closed: float = 30.0
    # RFC 9112 9.6; nginx lingering_timeout is 5 s.
    linger: float = 2.0
    # asyncio's own high-water mark for writing: request bytes held for an application that is not
    # reading.
    body_buffer: int = 64 * 1024
    # What is cheaper to read and drop than a new connection; Go's net/http drops up to 256 KiB.
    drain_bytes: int = 64 * 1024
    # Debian's nginx has 768 per worker, Envoy's advice is a number below the descriptor limit.
    connections: int = 10_000
    # A NAT or a load generator is one address; a worker must survive any single one of them.
    connections_per_client: int = 4_000

    def sweep_interval(self) -> float:
        """How often deadlines are looked at: a tenth of the shortest, at least once a second
        (Date's grain).
        """
        waits = (
            self.head_time,
            self.body_idle,
            self.write_stalled,
            self.keep_alive_idle,
            self.half_closed,
            self.linger,
        )
        return min(1.0, max(0.02, min(waits) / 10))
