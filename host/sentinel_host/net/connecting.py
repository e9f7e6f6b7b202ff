"""Connecting to the first of several addresses that answers (RFC 8305, "Happy Eyeballs").

`loop.sock_connect` would look each address up first, and a task for each attempt costs more than
the attempt.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final

DELAY: Final = 0.25
"""Seconds until the next address is tried beside those that have not answered: RFC 8305 section
5.
"""

_UNIX_RETRY: Final = 0.005


async def connect(
    addresses: list[str], port: int, failed: Callable[[str], None] = lambda address: None
) -> tuple[socket.socket, str]:
    """A connected, non-blocking socket, and the address at its other end.

    An address is tried `DELAY` after the one before it, or as soon as one has failed; the first
    that answers is taken. ``failed`` is told of the addresses that refused, and of those that had
    kept silent for `DELAY` when it ended. Whatever answered or refused is removed from
    ``addresses``. Raises the `OSError` of the last one.
    """
    race = _Race(asyncio.get_running_loop(), addresses, port, failed)
    waiting = addresses[::-1]
    try:
        while race.winner is None:
            if waiting:
                if not race.start(waiting.pop()):
                    continue
            elif not race.attempts:
                raise race.error
            await race.change(DELAY if waiting else None)
        return race.winner
    except BaseException:
        if race.winner is not None:
            race.winner[0].close()
        raise
    finally:
        race.end()


async def connect_unix(path: str) -> socket.socket:
    """A non-blocking socket that is connected to a Unix socket. Raises `OSError`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        # It connects at once or, where its backlog is full, not yet: there is no event to wait for
        # then.
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:
                await asyncio.sleep(_UNIX_RETRY)
            else:
                return sock
    except BaseException:
        sock.close()
        raise


class _Race:
    """Attempts to connect that run at the same time, by their sockets: to which address, and since
    when.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, addresses: list[str], port: int, failed: Callable[[str], None]
    ) -> None:
        self.attempts: dict[socket.socket, tuple[str, float]] = {}
        self.winner: tuple[socket.socket, str] | None = None
        self.error = OSError("no address")
        self._loop = loop
        self._addresses = addresses
        self._port = port
        self._failed = failed
        self._waiter: asyncio.Future[None] | None = None

    def start(self, address: str) -> bool:
        """Begin to connect to an address; whether that is to be waited for."""
        host, _, scope = address.partition("%")
        sock = None
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect((host, self._port, 0, int(scope or 0)) if ":" in host else (host, self._port))
        except BlockingIOError:
            assert sock is not None
            self.attempts[sock] = address, self._loop.time()
            self._loop.add_writer(sock.fileno(), self._writable, sock)
            return True
        except OSError as error:
            self._lost(sock, address, error)
        else:
            self._won(sock, address)
        return False

    async def change(self, delay: float | None) -> None:
        """Wait until an attempt has ended, or for ``delay`` seconds."""
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(delay, self._wake) if delay is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def end(self) -> None:
        """Give up the attempts that have not ended."""
        now = self._loop.time()
        for sock, (address, since) in self.attempts.items():
            self._loop.remove_writer(sock.fileno())
            sock.close()
            if now - since >= DELAY:
                self._failed(address)

    def _writable(self, sock: socket.socket) -> None:
        self._loop.remove_writer(sock.fileno())
        address, _ = self.attempts.pop(sock)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._lost(sock, address, OSError(number, os.strerror(number)))
        elif self.winner is None:
            self._won(sock, address)
        else:
            sock.close()
        self._wake()

    def _won(self, sock: socket.socket, address: str) -> None:
        self._addresses.remove(address)
        self.winner = sock, address

    def _lost(self, sock: socket.socket | None, address: str, error: OSError) -> None:
        if sock is not None:
            sock.close()
        self._addresses.remove(address)
        self.error = error
        self._failed(address)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
