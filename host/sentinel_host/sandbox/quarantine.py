"""Whether a use of a guest is called at all, and the count of its failures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from sentinel_host.errors import GuestError, GuestQuarantined, GuestUnavailable
from sentinel_host.sandbox.breaker import Breaker
from sentinel_host.sandbox.pool import Pool
from sentinel_host.sandbox.probation import Health

_log: Final = logging.getLogger("sentinel.sandbox")


class Quarantine:
    """Counts the failures of one use of a guest over all its ``pools``, and closes them while too
    many calls fail.

    While ``is_open`` is true the guest is not called, but for one probe at a time.
    """

    __slots__ = ("_breaker", "_health", "_name", "_plan", "_pools", "_stats")

    def __init__(self, name: str, breaker: Breaker, health: Health, pools: Sequence[Pool]) -> None:
        self._name = name
        self._breaker = breaker
        self._health = health
        self._plan = pools[0].plan
        self._pools = pools
        self._stats = pools[0].stats

    @property
    def is_open(self) -> bool:
        """Whether the guest is in quarantine."""
        return self._breaker.is_open

    def refusal(self, hook: str) -> GuestQuarantined:
        """The error for a call that is refused because of the quarantine, counted."""
        self._stats.refused += 1
        return GuestQuarantined(self._name, hook, self._breaker.retry_after)

    def noted(self, error: GuestError, client: str) -> GuestError:
        """Return the error after counting it, if the guest itself failed. Too many begin a
        quarantine.
        """
        if isinstance(error, GuestUnavailable):
            return error
        self._stats.failed(error)
        if self._health.probation is not None:
            self._health.probation.failed(client)
        if self._breaker.failed(self._plan.calls, client):
            self._stats.quarantines += 1
            self._stats.quarantined += 1
            for pool in self._pools:
                pool.is_barred = True
                pool.empty()
            _log.error(
                "guest %s is in quarantine for %d s: it fails for several clients",
                self._name,
                self._breaker.retry_after,
            )
        return error

    def begin_probe(self) -> bool:
        """Whether this call may be the probe. If so, exactly one of the next three methods must
        follow.
        """
        return self._breaker.may_probe()

    def drop_probe(self) -> None:
        """The probe did not reach the guest, or was cancelled."""
        self._breaker.probe_dropped()

    def fail_probe(self) -> None:
        """The probe failed: the quarantine goes on."""
        self._breaker.probe_failed()
        _log.warning("guest %s stays in quarantine for %d s", self._name, self._breaker.retry_after)

    def end(self) -> None:
        """The probe succeeded: the guest is called again."""
        self._breaker.probe_succeeded()
        for pool in self._pools:
            pool.is_barred = False
        self._stats.quarantined -= 1
        _log.warning("guest %s is out of quarantine", self._name)

    def close(self) -> None:
        """The guest is no longer used, and no longer counted among those in quarantine."""
        if self._breaker.is_open:
            self._stats.quarantined -= 1
