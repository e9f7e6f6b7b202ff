"""What is said on stderr once a gateway serves."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel_host.server import QuicEndpoint
from sentinel_host.supervisor.listeners import Listening
from sentinel_host.supervisor.output import say_on_stderr


def announce(listeners: Iterable[Listening | QuicEndpoint]) -> None:
    """Say where: one line per listener, for people and for programs that asked for port 0."""
    for listening in listeners:
        say_on_stderr(str(listening))
