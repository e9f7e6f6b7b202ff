"""How much the other end of a connection has acknowledged, as the kernel counts it.

A transport's own buffer does not show whether a slow reader reads: the kernel's send buffer, of
some megabytes, takes more only when a third of it is free. And while the transport's buffer is
empty, the kernel's may still be full.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Any, Final

# SIOCOUTQ of Linux has this number. It counts what was not acknowledged, on a Unix socket what was
# not read.
_UNACKNOWLEDGED: Final = termios.TIOCOUTQ
_COUNT: Final = struct.Struct("i")
# ``tcpi_bytes_acked`` of ``struct tcp_info``, since Linux 4.1.
_ACKNOWLEDGED: Final = struct.Struct("120xQ")


def unsent(transport: Any) -> int:
    """Bytes that were written to a transport and that its other end has not acknowledged."""
    waiting: int = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return waiting
    try:
        held: int = _COUNT.unpack(fcntl.ioctl(sock.fileno(), _UNACKNOWLEDGED, bytes(_COUNT.size)))[0]
    except OSError:
        return waiting
    return waiting + held


def taken(transport: Any) -> int:
    """A number that grows by the bytes that a transport's other end acknowledges.

    Where the kernel does not count them, as on a Unix socket, bytes written meanwhile change it
    too.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        try:
            acknowledged: int = _ACKNOWLEDGED.unpack(
                sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
            )[0]
        except (OSError, struct.error):
            pass
        else:
            return acknowledged
    return -unsent(transport)
