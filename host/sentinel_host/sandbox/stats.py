"""Counts per guest and worker, in plain integers. They are rendered elsewhere, off the hot path."""

from __future__ import annotations

from time import time

from sentinel_host.abi.contract import HTTP_ERRORS
from sentinel_host.errors import GuestError, GuestTimeout, GuestTrap
from sentinel_host.native.metrics import Metrics
from sentinel_host.native.plan import Counters
from sentinel_host.sandbox.text import one_line


class GuestStats:
    """Counts of one guest over all its versions, configurations and instances.

    ``counters`` are kept in C during calls; the others change only when something goes wrong.
    ``waiting`` is how many calls wait for an instance now, ``quarantined`` how many of the guest's
    uses are in quarantine; ``metrics`` is what it counts by itself, once it was granted that;
    ``fetches`` its requests to HTTP services, answered, and by error. ``error`` is why the last
    failed call failed, at ``failed_at``, in seconds of the Unix epoch.
    """

    __slots__ = (
        "busy",
        "counters",
        "deadlines",
        "error",
        "failed_at",
        "fetches",
        "metrics",
        "protocol_errors",
        "quarantined",
        "quarantines",
        "refused",
        "retired",
        "traps",
        "waiting",
    )

    def __init__(self) -> None:
        self.counters = Counters()
        self.fetches = [0] * (len(HTTP_ERRORS) + 1)
        self.metrics: Metrics | None = None
        self.error = ""
        self.failed_at = 0.0
        self.traps = 0
        self.deadlines = 0
        self.protocol_errors = 0
        self.quarantines = 0
        self.quarantined = 0
        self.refused = 0
        self.busy = 0
        self.retired = 0
        self.waiting = 0

    def failed(self, error: GuestError) -> None:
        """Record the error of a failed call."""
        if isinstance(error, GuestTimeout):
            self.deadlines += 1
        elif isinstance(error, GuestTrap):
            self.traps += 1
        else:
            self.protocol_errors += 1
        self.error = one_line(f"{error.hook}: {error.reason}")
        self.failed_at = time()

    def own_metrics(self) -> Metrics:
        """``metrics``, which are made if there are none yet."""
        if self.metrics is None:
            self.metrics = Metrics()
        return self.metrics

    def snapshot(self) -> dict[str, int]:
        """Counts that only grow, then the gauges ``quarantined``, ``waiting``, ``instances`` and
        ``memory_bytes``.
        """
        counters = self.counters
        return {
            "calls": counters.calls,
            "cpu_ns": counters.cpu_ns,
            "suspensions": counters.suspensions,
            "traps": self.traps,
            "deadlines": self.deadlines,
            "protocol_errors": self.protocol_errors,
            "quarantines": self.quarantines,
            "refused_quarantined": self.refused,
            "refused_busy": self.busy,
            "instances_started": counters.started,
            "instances_retired": self.retired,
            "log_lines_cut": counters.lines_cut,
            "http_answered": self.fetches[0],
            **{f"http_{error}": count for error, count in zip(HTTP_ERRORS, self.fetches[1:], strict=True)},
            "kv_calls": counters.kv_calls,
            "kv_full": counters.kv_full,
            "kv_unavailable": counters.kv_unavailable,
            "metrics_full": self.metrics.full if self.metrics else 0,
            "metrics_invalid": self.metrics.invalid if self.metrics else 0,
            "quarantined": self.quarantined,
            "waiting": self.waiting,
            "instances": counters.instances,
            "memory_bytes": counters.memory_bytes,
        }
