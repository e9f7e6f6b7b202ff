"""The service's state for systemd: datagrams to ``$NOTIFY_SOCKET``, as in sd_notify(3)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import MutableMapping


class Notifier:
    """Sends the state to a service manager; does nothing if there is none."""

    def __init__(self, address: str | None = None, watchdog: float | None = None) -> None:
        self._address = address
        self._watchdog = watchdog
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> Notifier:
        """The notifier that the environment asks for.

        Removes the variables, so that no child process speaks for the service.
        """
        address = environment.pop("NOTIFY_SOCKET", None)
        microseconds = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        watched = microseconds.isdecimal() and int(microseconds) > 0 and pid in ("", str(os.getpid()))
        return cls(address, int(microseconds) / 1e6 if watched else None)

    def ready(self, status: str) -> None:
        """Start-up or a reload is over. The watchdog is fed from now on."""
        self._send("READY=1", f"STATUS={status}")
        if self._timer is None:
            self._feed()

    def reloading(self) -> None:
        """A reload began; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reloading")

    def stopping(self) -> None:
        """Shutdown began. The watchdog is still fed until the loop ends: a draining service does
        not hang.
        """
        self._send("STOPPING=1", "STATUS=draining")

    def close(self) -> None:
        """Feed the watchdog no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _feed(self) -> None:
        if self._watchdog is not None and self._address is not None:
            # Half of the interval, as sd_watchdog_enabled(3) advises.
            self._timer = asyncio.get_running_loop().call_later(self._watchdog / 2, self._feed)
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # Serving goes on without the manager. Programs customarily ignore sd_notify's result.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), address)
