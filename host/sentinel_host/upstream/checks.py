"""Active checks: asking each endpoint of an upstream, now and again, whether it is well.

Rule 1: one process of a machine checks, and publishes the results in the table. Responses to
        clients' requests do not count here: they are for ejection.
Rule 2: the first result decides. After that, a change takes several results in a row, so that a
        single lost check does not take an endpoint out. But while no endpoint serves, one success
        is enough: requests are refused, or sent to endpoints that fail.
Rule 3: every result counts as a success or a failure, so that an unexpected status does not freeze
        the state.
Rule 4: checks of one endpoint never overlap, and those of several are spread over the interval.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from dataclasses import dataclass
from random import random
from typing import Final

from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.errors import SentinelError
from sentinel_host.http.proxy_header_writer import local_header
from sentinel_host.net import Names
from sentinel_host.upstream._endpoints import Cell
from sentinel_host.upstream.discovery import Discovery, Location
from sentinel_host.upstream.probe import Probe, Unwell
from sentinel_host.upstream.probes import make_probe
from sentinel_host.upstream.table import EndpointTable, key_of
from sentinel_host.upstream.targets import weighted_targets

_log: Final = logging.getLogger("sentinel.upstream")

_JITTER: Final = 0.1
"""Part of an interval by which checks are early or late, so that those of many gateways do not fall
in step.
"""


@dataclass(slots=True)
class CheckState:
    """What is known of an endpoint: a transition table of its own, fed with answers.

    ``flaps`` counts how often it has changed.
    """

    down: int
    up: int
    healthy: bool | None = None
    flaps: int = 0
    _streak: int = 0

    def answered(self, well: bool, *, none_serves: bool = False) -> bool:
        """Whether this changes what is known; ``none_serves``: no endpoint of the upstream does."""
        if self.healthy is None:
            self.healthy = well
            return True
        if well == self.healthy:
            self._streak = 0
            return False
        self._streak += 1
        if self._streak < (self.down if not well else 1 if none_serves else self.up):
            return False
        self._streak = 0
        self.healthy = well
        self.flaps += 1
        return True


class Checker:
    """Checks the endpoints of one upstream, from one event loop, between `start` and `close`.

    ``worker`` is the number of the process that checks in the table; ``context`` is for https.
    """

    def __init__(
        self,
        config: UpstreamConfig,
        table: EndpointTable,
        worker: int,
        names: Names,
        context: ssl.SSLContext | None = None,
    ) -> None:
        assert config.check is not None
        self.states: dict[str, CheckState] = {}
        """What is known of each endpoint, by its name."""
        self._name = config.name
        self._check = config.check
        self._protocol = config.protocol
        version = config.proxy_protocol
        self._proxy_header = local_header(version) if version is not None else b""
        self._table = table
        self._worker = worker
        self._names = names
        self._context = context
        self._watches: dict[int, asyncio.Task[None]] = {}
        self._discovery = Discovery(
            weighted_targets(config),
            names,
            self._follow,
            config.dns_ttl,
        )

    def start(self) -> None:
        """Begin to check."""
        self._discovery.start()
        self._follow()

    async def close(self, successor: Checker | None = None) -> None:
        """Check no more. What ``successor`` checks from now on stays as it is known."""
        await self._discovery.close()
        watches = list(self._watches.values())
        for watch in watches:
            watch.cancel()
        if watches:
            await asyncio.wait(watches)
        kept = successor._watches if successor is not None else {}
        for key in self._watches:
            if key not in kept:
                self._forget(key)

    def _follow(self) -> None:
        """Watch the endpoints that there are now, and no others."""
        found = {
            key_of(self._name, str(location.target), ",".join(location.addresses)): location
            for location in self._discovery.locations
        }
        for key in [key for key in self._watches if key not in found]:
            self._watches.pop(key).cancel()
            self._forget(key)
        for key, location in found.items():
            if key not in self._watches:
                watch = self._watch(key, location)
                self._watches[key] = asyncio.get_running_loop().create_task(watch, name=f"check of {location}")

    async def _watch(self, key: int, location: Location) -> None:
        check = self._check
        # The row exists as long as any process has a cell in it.
        name = str(location)
        try:
            cell = Cell(self._table.native, self._worker, key, True)
        except MemoryError as error:
            _log.error("upstream %s: %s is not checked: %s", self._name, name, error)
            return
        state = self.states[name] = CheckState(check.down, check.up)
        probe = make_probe(check, self._protocol, location, self._names, self._context, self._proxy_header)
        try:
            while True:
                well, reason = await _ask(probe, check.timeout)
                # All endpoints are looked at only when it matters.
                none_serves = well and state.healthy is False and not self._any_serves()
                if state.answered(well, none_serves=none_serves):
                    self._tell(key, name, well, reason, first=state.flaps == 0)
                await asyncio.sleep(check.interval * (1 + _JITTER * (2 * random() - 1)))
        finally:
            self.states.pop(name, None)
            await probe.close()
            del cell

    def _any_serves(self) -> bool:
        """Whether any endpoint gets requests because it is well, not for want of a better one."""
        for key in self._watches:
            # One whose watch has yet to begin may have no row.
            with suppress(LookupError):
                if self._table.state(key).serves:
                    return True
        return False

    def _forget(self, key: int) -> None:
        """The endpoint is no longer checked: it must not stay down."""
        with suppress(LookupError):
            self._table.checked(key, True)

    def _tell(self, key: int, name: str, well: bool, reason: str, *, first: bool) -> None:
        self._table.checked(key, well)
        if not well:
            _log.warning("upstream %s: %s is down: its check %s", self._name, name, reason)
        elif not first:
            _log.info("upstream %s: %s is well again", self._name, name)


async def _ask(probe: Probe, seconds: float) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(seconds):
            await probe.ask()
    except TimeoutError:
        return False, f"had no answer within {seconds:g} s"
    except Unwell as error:
        return False, str(error)
    except (OSError, SentinelError) as error:
        return False, f"failed: {error}"
    return True, ""
