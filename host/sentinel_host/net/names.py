"""Looking names up on the event loop.

`getaddrinfo` blocks, so event loops call it in threads. libuv has four of them for all look-ups:
two names that do not resolve take them all. It aborts the process when it cannot start them. c-ares
asks name servers over sockets that the loop watches. It reads /etc/hosts, and /etc/resolv.conf with
its search domains, as `getaddrinfo` does. It answers ``localhost`` itself (RFC 6761 section 6.3),
and sorts by RFC 6724: addresses without a route come last. It knows no source of nsswitch.conf but
``files`` and ``dns``.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pycares

from sentinel_host.errors import SentinelError
from sentinel_host.net.remembered import Remembered, Service

# Answers of a name service that works: the name does not exist, has no address, or cannot be a
# name.
_NEGATIVE = frozenset((pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA, pycares.errno.ARES_EBADNAME))


class UnresolvedName(OSError):
    """A name has no address as far as is known; ``negative`` when that is what the name service
    says.

    Otherwise the name service failed or kept silent.
    """

    def __init__(self, reason: str, *, negative: bool) -> None:
        super().__init__(reason)
        self.negative = negative


@dataclass(frozen=True, slots=True)
class Found:
    """A name's addresses, the preferred first, each once; IPv6 ones may end in ``%`` and a scope's
    number.

    ``ttl`` is in seconds, 0 for what the hosts file says.
    """

    addresses: list[str]
    ttl: int


class Names:
    """The name service, for one event loop.

    ``servers`` are asked, ``host:port``, instead of those in resolv.conf; ``watched`` is the file
    after whose changes that is read again. ``remembered`` has answers from before, and every good
    one from now on; ``learned`` is told of each that differs.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        watched: str = "/etc/resolv.conf",
        *,
        remembered: Remembered | None = None,
        learned: Callable[[Remembered], None] = lambda _: None,
    ) -> None:
        self.remembered = Remembered() if remembered is None else remembered
        self._learned = learned
        self._servers = servers
        self._watched = watched
        self._channel: _Channel | None = None
        self._conf: object = None

    def open(self) -> None:
        """Make what look-ups need: pycares has one thread, which closes channels, and which a later
        look-up may lack.

        Raises `SentinelError` where the thread cannot start.
        """
        try:
            self._current()
        except RuntimeError as error:
            raise SentinelError(f"names cannot be looked up: {error}") from None

    async def look_up(self, host: str) -> Found:
        """The addresses of a host name. Raises `UnresolvedName`."""
        found = await self._current().look_up(host)
        # Name servers change the order with every answer.
        if sorted(found.addresses) != sorted(self.remembered.addresses.get(host, ())):
            self._learn(Remembered(addresses={host: found.addresses}))
        return found

    async def look_up_service(self, name: str) -> tuple[list[Service], int]:
        """The servers that a name's SRV records prefer, by host and port, and how many seconds that
        holds.

        Raises `UnresolvedName`.
        """
        services, ttl = await self._current().look_up_service(name)
        if services != self.remembered.services.get(name):
            self._learn(Remembered(services={name: services}))
        return services, ttl

    def close(self) -> None:
        """End every look-up. A later one begins anew."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _learn(self, answer: Remembered) -> None:
        self.remembered.update(answer)
        self._learned(answer)

    def _current(self) -> _Channel:
        """The channel; a new one after resolv.conf has changed, as it does when a network or a VPN
        comes or goes.
        """
        conf = _signature(self._watched)
        if self._channel is None or conf != self._conf:
            before, self._channel = self._channel, _Channel(self._servers)
            self._conf = conf
            if before is not None:
                before.retire()
        return self._channel


class _Channel:
    """One channel of c-ares, its sockets watched by the loop, its time-outs a timer of the loop."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._readers: set[int] = set()
        self._writers: set[int] = set()
        self._pending = 0
        self._timer: asyncio.TimerHandle | None = None
        self._retired = False
        self._closed = False
        try:
            self._ares = pycares.Channel(sock_state_cb=self._watch, servers=servers or None)
        except pycares.AresError as error:
            raise UnresolvedName(f"the name service: {error}", negative=False) from None

    async def look_up(self, host: str) -> Found:
        answer: asyncio.Future[Found] = self._loop.create_future()
        self._pending += 1
        self._ares.getaddrinfo(host, None, type=socket.SOCK_STREAM, callback=partial(self._answered, answer))
        self._set_timer()
        return await answer

    async def look_up_service(self, name: str) -> tuple[list[Service], int]:
        answer: asyncio.Future[tuple[list[Service], int]] = self._loop.create_future()
        self._pending += 1
        self._ares.query(name, pycares.QUERY_TYPE_SRV, callback=partial(self._answered_service, answer))
        self._set_timer()
        return await answer

    def retire(self) -> None:
        """Close once the look-ups under way have ended."""
        self._retired = True
        if not self._pending:
            self.close()

    def close(self) -> None:
        if self._closed:
            return
        self._ares.cancel()
        # From here on c-ares works in pycares' thread, and what it calls must not touch the loop.
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for descriptor in self._readers:
            self._loop.remove_reader(descriptor)
        for descriptor in self._writers:
            self._loop.remove_writer(descriptor)
        self._ares.close()

    def _answered(
        self, answer: asyncio.Future[Found], result: pycares.AddrInfoResult | None, status: int | None
    ) -> None:
        self._end_one()
        if answer.done():
            return
        nodes = result.nodes if result is not None else []
        if nodes:
            addresses = [_address(node) for node in nodes]
            answer.set_result(Found(list(dict.fromkeys(addresses)), min(node.ttl for node in nodes)))
        else:
            number = pycares.errno.ARES_ENODATA if status is None else status
            reason = os.fsdecode(pycares.errno.strerror(number))
            answer.set_exception(UnresolvedName(reason, negative=number in _NEGATIVE))

    def _answered_service(
        self, answer: asyncio.Future[tuple[list[Service], int]], result: Any, status: int | None
    ) -> None:
        self._end_one()
        if answer.done():
            return
        found = [] if result is None else [record for record in result.answer if record.type == pycares.QUERY_TYPE_SRV]
        # A target of "." says that there is no such service here.
        records = [record for record in found if record.data.target not in ("", ".")]
        if records:
            best = min(record.data.priority for record in records)
            services = {
                Service(record.data.target.rstrip("."), record.data.port, record.data.weight)
                for record in records
                if record.data.priority == best
            }
            in_order = sorted(services, key=lambda service: (service.host, service.port))
            answer.set_result((in_order, min(record.ttl for record in records)))
        else:
            number = pycares.errno.ARES_ENODATA if status is None or found else status
            reason = os.fsdecode(pycares.errno.strerror(number))
            answer.set_exception(UnresolvedName(reason, negative=number in _NEGATIVE))

    def _end_one(self) -> None:
        self._pending -= 1
        if self._retired and not self._pending:
            # Not from within c-ares.
            self._loop.call_soon(self.close)

    def _watch(self, descriptor: int, readable: bool, writable: bool) -> None:
        """Called by c-ares, for a socket that it opens, uses or is about to close."""
        if self._closed:
            return
        loop, nothing = self._loop, pycares.ARES_SOCKET_BAD
        if readable and descriptor not in self._readers:
            self._readers.add(descriptor)
            loop.add_reader(descriptor, self._process, descriptor, nothing)
        elif not readable and descriptor in self._readers:
            self._readers.remove(descriptor)
            loop.remove_reader(descriptor)
        if writable and descriptor not in self._writers:
            self._writers.add(descriptor)
            loop.add_writer(descriptor, self._process, nothing, descriptor)
        elif not writable and descriptor in self._writers:
            self._writers.remove(descriptor)
            loop.remove_writer(descriptor)

    def _process(self, readable: int, writable: int) -> None:
        if not self._closed:
            try:
                self._ares.process_fd(readable, writable)
            finally:
                self._set_timer()

    def _set_timer(self) -> None:
        """Wake when the next query has waited for long enough: it is sent again, or fails."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            # Timers of event loops count milliseconds, and may be early by a part of one.
            delay: float = self._ares.timeout() + 0.001  # type: ignore[no-untyped-call]
            self._timer = self._loop.call_later(delay, self._process, pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)


def _address(node: pycares.AddrInfoNode) -> str:
    text: bytes = node.addr[0]
    scope = node.addr[3] if len(node.addr) == 4 else 0
    return f"{text.decode('ascii')}%{scope}" if scope else text.decode("ascii")


def _signature(path: str) -> object:
    """What differs once a file has been replaced or written; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
