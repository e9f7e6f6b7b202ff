"""When a guest that fails too often is no longer called: quarantine, back-off, and probes.

Rule 1: no single client can switch a guest off. A quarantine needs a failure share over many calls
        and failures for several clients. The client with the most failures counts for no more than
        all others together.
Rule 2: in quarantine, one probe at a time is let through, after a back-off that doubles with each
        failure.
Rule 3: a successful call costs nothing here; only failures are recorded.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from collections.abc import Callable
from time import monotonic
from typing import Final

# Half of the last 200 calls, from several clients: docs/decisions/029-quarantine-by-share.md.
WINDOW: Final = 200
FAILURES: Final = 100
CLIENTS: Final = 3
# Fewer calls than this say nothing about a share.
LEAST: Final = 20
# Seconds. Envoy's outlier detection ejects for 30 s times the number of ejections. A broken guest
# is often replaced at once.
FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 60.0


class Breaker:
    """The state of one use of a guest. ``is_open`` means quarantine; ``clock`` tells seconds."""

    __slots__ = ("_backoff", "_clock", "_failures", "_probing", "_retry_at", "is_open")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: deque[tuple[int, str]] = deque()
        self._backoff = FIRST_BACKOFF
        self._retry_at = 0.0
        self._probing = False
        self.is_open = False

    def failed(self, calls: int, client: str) -> bool:
        """Count a failure of the call with this number for a client. Returns whether a quarantine
        begins.
        """
        if self.is_open:
            return False
        failures = self._failures
        failures.append((calls, network_of(client)))
        while failures[0][0] <= calls - WINDOW:
            failures.popleft()
        if len(failures) < FAILURES:
            return False
        by_client = Counter(client for _, client in failures)
        excess = excess_of(max(by_client.values()), len(failures))
        counted = len(failures) - excess
        if len(by_client) < CLIENTS or counted < LEAST or 2 * counted < WINDOW - excess:
            return False
        failures.clear()
        # A quarantine soon after another one goes on with the longer back-off.
        if self._clock() - self._retry_at > 2 * LONGEST_BACKOFF:
            self._backoff = FIRST_BACKOFF
        self.is_open = True
        self._retry_at = self._clock() + self._backoff
        return True

    def may_probe(self) -> bool:
        """In quarantine: whether this call may be a probe. If so, call one of the next three
        methods.
        """
        if self._probing or self._clock() < self._retry_at:
            return False
        self._probing = True
        return True

    def probe_succeeded(self) -> None:
        """End the quarantine. The longer back-off stays for a while, in case the guest fails
        again.
        """
        self._probing = False
        self.is_open = False
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)

    def probe_failed(self) -> None:
        """Continue the quarantine for twice as long."""
        self._probing = False
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        self._retry_at = self._clock() + self._backoff

    def probe_dropped(self) -> None:
        """The call did not reach the guest, or was cancelled."""
        self._probing = False

    @property
    def retry_after(self) -> int:
        """Whole seconds until a probe may be tried, at least one."""
        return max(1, round(self._retry_at - self._clock()))


def excess_of(top: int, total: int) -> int:
    """How many failures of the client with the most of them do not count: it has ``top`` of
    ``total``.
    """
    return max(0, 2 * top - total)


def network_of(client: str) -> str:
    """What counts as one client: an IPv4 address, or the IPv6 network of one customer (RFC
    6177).
    """
    if ":" not in client:
        return client
    try:
        return str(ipaddress.ip_network((client, 64), strict=False))
    except ValueError:
        return client
