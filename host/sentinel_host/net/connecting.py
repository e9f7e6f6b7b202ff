"""Connecting to the first of several addresses that answers (RFC 8305, "Happy Eyeballs")."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

DELAY: Final = 0.25
"""Seconds until the next address is tried beside those that have not answered: RFC 8305 section 5."""


async def connect(
    addresses: list[str], port: int, failed: Callable[[str], None] = lambda address: None
) -> tuple[socket.socket, str]:
    """A connected, non-blocking socket, and the address at its other end.

    An address is tried `DELAY` after the one before it, or as soon as one has failed; the first that answers is taken.
    ``failed`` is told of the addresses that refused, and of those that had kept silent for `DELAY` when it ended.
    Whatever answered or refused is removed from ``addresses``. Raises the `OSError` of the last one.
    """
    if len(addresses) == 1:
        address = addresses.pop()
        return await _try(address, port, failed), address
    loop = asyncio.get_running_loop()
    waiting = deque(addresses)
    attempts: dict[asyncio.Task[socket.socket], tuple[str, float]] = {}
    error = OSError("no address")
    try:
        while waiting or attempts:
            if waiting:
                address = waiting.popleft()
                attempts[loop.create_task(_try(address, port, failed))] = address, loop.time()
            done, _ = await asyncio.wait(
                attempts, timeout=DELAY if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in sorted(done, key=lambda attempt: attempts[attempt][1]):
                try:
                    sock = attempt.result()
                except OSError as failure:
                    addresses.remove(attempts.pop(attempt)[0])
                    error = failure
                else:
                    address, _ = attempts.pop(attempt)
                    addresses.remove(address)
                    return sock, address
        raise error
    finally:
        for attempt, (address, since) in attempts.items():
            if attempt.done():
                if not attempt.cancelled() and attempt.exception() is None:
                    attempt.result().close()
            else:
                attempt.cancel()
                if loop.time() - since >= DELAY:
                    failed(address)


async def _try(address: str, port: int, failed: Callable[[str], None]) -> socket.socket:
    host, _, scope = address.partition("%")
    sock = None
    try:
        if ":" in host:
            sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            await _connected(sock, (host, port, 0, int(scope or 0)))
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            await _connected(sock, (host, port))
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, OSError):
            failed(address)
        raise
    return sock


async def _connected(sock: socket.socket, address: tuple[str, int] | tuple[str, int, int, int]) -> None:
    """`loop.sock_connect`, which would look the address up first."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.connect(address)
        return
    except BlockingIOError:
        pass
    loop = asyncio.get_running_loop()
    writable: asyncio.Future[None] = loop.create_future()
    descriptor = sock.fileno()
    loop.add_writer(descriptor, _wake, writable)
    try:
        await writable
    finally:
        loop.remove_writer(descriptor)
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
