"""Whether a new version of a guest fails so much that it should be rolled back.

Rule 1: no single client decides, however often it fails. Of the client with the most failures no
        more are counted than of all others together; its further calls are left out of the sum as
        well.
Rule 2: it takes a share of the calls, not a number of failures, and failures of several clients.
Rule 3: a good call costs nothing here; only failures are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from sentinel_host.native.plan import Plan
from sentinel_host.sandbox.breaker import CLIENTS, LEAST, excess_of, network_of

# Seconds between two reports of failures.
_TELL_AGAIN_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class RollbackPolicy:
    """A version is rolled back when more than this ``share`` of its first ``calls`` fail within
    ``time`` seconds.
    """

    share: float
    calls: int
    time: float


class Probation:
    """The probation of one version in one process.

    ``counted`` tells its calls so far; ``degraded`` is told of failures, once a second at most;
    ``fail`` is told the reason when it has failed, which it does once. ``clock`` tells seconds.
    """

    __slots__ = (
        "_begun",
        "_clock",
        "_counted",
        "_degraded",
        "_fail",
        "_failures",
        "_is_over",
        "_policy",
        "_told",
        "_top",
        "_total",
    )

    def __init__(
        self,
        policy: RollbackPolicy,
        counted: Callable[[], int],
        degraded: Callable[[], None],
        fail: Callable[[str], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._begun = clock()
        self._clock = clock
        self._counted = counted
        self._fail = fail
        self._failures: dict[str, int] = {}
        self._degraded = degraded
        self._is_over = False
        self._policy = policy
        self._told = 0.0
        self._top = 0
        self._total = 0

    def failed(self, client: str) -> None:
        """A call failed for this client."""
        now = self._clock()
        if now - self._told >= _TELL_AGAIN_AFTER:
            self._told = now
            self._degraded()
        if self._is_over:
            return
        # A use of the guest may have been closed meanwhile, with its count of calls. This call
        # counts.
        calls, policy = max(self._counted(), self._total + 1), self._policy
        if calls > policy.calls or now - self._begun > policy.time:
            self._is_over = True
            self._failures.clear()
            return
        network = network_of(client)
        count = self._failures[network] = self._failures.get(network, 0) + 1
        self._total += 1
        self._top = max(self._top, count)
        excess = excess_of(self._top, self._total)
        failures = self._total - excess
        if len(self._failures) >= CLIENTS and failures >= LEAST and failures > policy.share * (calls - excess):
            self._is_over = True
            self._fail(f"{self._total} of {calls} calls failed, for {len(self._failures)} clients")


@dataclass(eq=False, slots=True)
class Health:
    """How one version of a guest does in one process, over all its uses.

    ``probation`` is set while the version is on probation.
    """

    plans: set[Plan] = field(default_factory=set)
    probation: Probation | None = None

    @property
    def calls(self) -> int:
        """The number of calls over all current uses."""
        return sum(plan.calls for plan in self.plans)
