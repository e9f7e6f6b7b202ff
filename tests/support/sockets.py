"""What the kernel keeps of a connection's bytes."""

from __future__ import annotations

from typing import Final

KEPT_UNREAD: Final = 1 << 18
"""`SO_RCVBUF`, in bytes, for a socket that listens. Left to itself, the kernel keeps up to 32 MiB
(the last number of `net.ipv4.tcp_rmem`) for a reader that stops after its first megabytes, and a
test that waits for a sender to be stopped sends less than that.
"""
