"""Where a worker accepts connections."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A bound socket, and the name of its listener as applications see it.

    ``tls`` gives the context of each new connection where the listener speaks TLS.

    ``owned``: no other process accepts from the socket, now or later. ``proxy_protocol``: networks
    of the peers whose connections begin with a PROXY header; where there are any, others are
    refused.
    """

    name: str
    socket: socket.socket
    tls: Callable[[], ssl.SSLContext] | None = None
    owned: bool = False
    proxy_protocol: tuple[str, ...] = ()
