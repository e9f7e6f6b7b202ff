"""Sockets that a service manager opened for us, as sd_listen_fds(3) has them."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from sentinel_host.errors import ConfigError

_FIRST_FD: Final = 3


def activated_sockets(environment: MutableMapping[str, str], first: int = _FIRST_FD) -> dict[str, list[socket.socket]]:
    """The sockets from the service manager, in order, under ``public`` and ``admin``. Removes the
    variables.

    A socket is named by ``FileDescriptorName=``; one without a name is public. Raises `ConfigError`
    for any other name, and for a descriptor that is no listening TCP socket.
    """
    pid = environment.pop("LISTEN_PID", "")
    number = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    environment.pop("LISTEN_PIDFDID", None)
    passed: dict[str, list[socket.socket]] = {"public": [], "admin": []}
    if pid != str(os.getpid()) or not number.isdecimal():
        return passed
    for index in range(int(number)):
        name = names[index] if index < len(names) else ""
        passed[_listener(name)].append(_listening(first + index, name))
    return passed


def _listener(name: str) -> str:
    # Without FileDescriptorName= the name is that of the unit; "unknown" is what
    # sd_listen_fds_with_names(3) says.
    if name in ("", "unknown", "public") or name.endswith(".socket"):
        return "public"
    if name == "admin":
        return "admin"
    raise ConfigError(f'LISTEN_FDNAMES: expected "public" or "admin", got {name!r}')


def _listening(fd: int, name: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
        listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"LISTEN_FDS: descriptor {fd} ({name}): {error.strerror}") from None
    if not listening or sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6):
        raise ConfigError(f"LISTEN_FDS: descriptor {fd} ({name}) is no listening TCP socket")
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock
