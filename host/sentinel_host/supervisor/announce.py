"""What is said on stderr once a gateway serves."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable

from sentinel_host.server import QuicEndpoint
from sentinel_host.supervisor.listeners import Listening


def announce(listeners: Iterable[Listening | QuicEndpoint]) -> None:
    """Say where: one line per listener, for people and for programs that asked for port 0.

    Nobody may be there to hear it, which is no reason not to serve.
    """
    for listening in listeners:
        with contextlib.suppress(OSError):
            print(f"sentinel: {listening}", file=sys.stderr, flush=True)
