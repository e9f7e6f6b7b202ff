"""The addresses of one host name, and which of them answer.

Rule 1: the last good answer is kept until there is a better one, also that of whoever looked the
        name up before (see `sentinel_host.net.remembered`). A slow or failing name service
        delays a request for `PATIENCE` at most, and removes no address (RFC 8767). An answer
        without addresses is believed after `GRACE`: the old address may soon belong to someone
        else.
Rule 2: the families take turns (RFC 8305 section 4). The address that worked last comes first, and
        those that failed last, the one that failed longest ago before the others.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from math import inf
from typing import Final

from sentinel_host.net.names import Names, UnresolvedName

_log = logging.getLogger("sentinel.net")

PATIENCE: Final = 0.25
"""Seconds that a look-up may take where there are addresses from before."""
SHORTEST: Final = 1.0
"""Seconds for which any answer is believed: the hosts file has no time to live, and 0 would be a
look-up each time.
"""
AGAIN: Final = 5.0
"""Seconds after a failed look-up until the next: RFC 8767 section 5 has at most 30."""
GRACE: Final = 60.0
"""Seconds for which addresses are used after the name service has said that there are none."""


class Addresses:
    """The addresses of a host, or the one that it is. Answers are believed as long as they say, at
    most ``ttl``.

    ``fixed`` are addresses that are not looked up.
    """

    __slots__ = (
        "_began",
        "_clock",
        "_error",
        "_expires",
        "_failed",
        "_good_until",
        "_host",
        "_is_fixed",
        "_known",
        "_lookup",
        "_names",
        "_ttl",
        "_used",
    )

    def __init__(
        self,
        host: str,
        names: Names,
        ttl: float = 30.0,
        *,
        fixed: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._host = host
        self._names = names
        self._ttl = ttl
        self._known: list[str] = []
        self._expires = 0.0
        self._good_until = 0.0
        self._lookup: asyncio.Task[None] | None = None
        self._began = 0.0
        # Of the last look-up, if it failed.
        self._error: UnresolvedName | None = None
        self._used = ""
        # As an ordered set.
        self._failed: dict[str, None] = {}
        self._is_fixed = bool(fixed)
        if fixed:
            self._known = _by_turns(list(fixed))
            return
        try:
            self._known = [str(ipaddress.ip_address(host))]
            self._is_fixed = True
        except ValueError:
            # A name.
            self._known = _by_turns(names.remembered.addresses.get(host, []))
            self._good_until = clock() + GRACE

    async def find(self) -> list[str]:
        """The addresses in the order in which to try them, at least one. Raises
        `UnresolvedName`.
        """
        if self._is_fixed:
            return self._in_order()
        now = self._clock()
        if now >= self._expires:
            lookup = self._begin()
            if not self._known:
                await asyncio.shield(lookup)
            elif (left := self._began + PATIENCE - now) > 0:
                await asyncio.wait([lookup], timeout=left)
            if not self._known and self._error is not None:
                # A new one: several may wait, and each adds to what it has raised.
                raise UnresolvedName(str(self._error), negative=self._error.negative)
        return self._in_order()

    def _in_order(self) -> list[str]:
        first = [self._used] if self._used in self._known else []
        others = [address for address in self._known if address != self._used and address not in self._failed]
        return [*first, *others, *self._failed]

    def lifetime(self) -> float:
        """Seconds until what is known is to be looked up again; forever for an address."""
        return inf if self._is_fixed else max(0.0, self._expires - self._clock())

    def learn(self) -> None:
        """Look the name up ahead of time: the name service may fail when a request needs it."""
        if not self._is_fixed and not self._expires:
            self._begin()

    def worked(self, address: str) -> None:
        """A connection was made there."""
        self._used = address
        self._failed.pop(address, None)

    def failed(self, address: str) -> None:
        """No connection was made there, or not to the server that was meant."""
        if address == self._used:
            self._used = ""
        self._failed.pop(address, None)
        if address in self._known:
            self._failed[address] = None

    def doubt(self) -> None:
        """Look up again before the next use: none of the addresses could be reached, or the right
        one is not there.
        """
        self._expires = 0.0

    def close(self) -> None:
        """End the look-up."""
        if self._lookup is not None:
            self._lookup.cancel()

    def _begin(self) -> asyncio.Task[None]:
        """The look-up that is under way."""
        if self._lookup is None:
            self._began = self._clock()
            self._lookup = asyncio.get_running_loop().create_task(self._look_up())
            self._lookup.add_done_callback(self._looked_up)
        return self._lookup

    async def _look_up(self) -> None:
        try:
            found = await self._names.look_up(self._host)
        except UnresolvedName as error:
            before, self._error = self._error, error
            if error.negative and self._clock() >= self._good_until:
                self._known, self._failed = [], {}
            if self._known:
                self._expires = self._clock() + AGAIN
                if before is None:
                    _log.warning("%s cannot be looked up, its last addresses are used: %s", self._host, error)
            return
        if self._error is not None and self._known:
            _log.warning("%s can be looked up again", self._host)
        self._error = None
        self._known = _by_turns(found.addresses)
        self._failed = {address: None for address in self._failed if address in self._known}
        self._expires = self._clock() + max(SHORTEST, min(found.ttl, self._ttl))
        self._good_until = self._expires + GRACE

    def _looked_up(self, lookup: asyncio.Task[None]) -> None:
        self._lookup = None
        if not lookup.cancelled():
            lookup.exception()  # every caller may have given up: nobody else would look at it


def _by_turns(addresses: list[str]) -> list[str]:
    """The families in turn, that of the first address before the other."""
    six = [address for address in addresses if ":" in address]
    four = [address for address in addresses if ":" not in address]
    first, second = (six, four) if addresses and ":" in addresses[0] else (four, six)
    return [address for address in chain.from_iterable(zip_longest(first, second)) if address is not None]
