"""HTTP/3 (RFC 9114) over aioquic, which is an extra: nothing else imports this package before it is configured.

A connection is an HTTP/2 connection whose frames aioquic reads and writes: streams, limits, deadlines and the way to a
quiet end are the same code.
"""

from __future__ import annotations

from sentinel_host.http.h3.protocol import Http3Protocol, Path
from sentinel_host.http.h3.quic import Quic

__all__ = ["Http3Protocol", "Path", "Quic"]
