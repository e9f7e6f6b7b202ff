"""From a host name to a connected socket, without a thread: look-ups (c-ares), what is known of a
name, connecting.
"""

from __future__ import annotations

from sentinel_host.net.addresses import Addresses
from sentinel_host.net.connecting import connect, connect_unix
from sentinel_host.net.names import Names, UnresolvedName
from sentinel_host.net.remembered import Remembered

__all__ = ["Addresses", "Names", "Remembered", "UnresolvedName", "connect", "connect_unix"]
