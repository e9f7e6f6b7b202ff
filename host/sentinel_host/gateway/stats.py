"""Counts in plain integers. They are rendered elsewhere, off the hot path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import inf
from time import perf_counter_ns
from typing import Final

from sentinel_host.gateway.top_keys import TopKeys
from sentinel_host.messages import Summary

# Seconds: the usual buckets of HTTP latencies, one finer decade below for a gateway that answers by
# itself.
LATENCY_BUCKETS: Final[tuple[float, ...]] = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
# Bytes: powers of 8 from a short answer to a large download.
SIZE_BUCKETS: Final[tuple[float, ...]] = (64.0, 512.0, 4096.0, 32768.0, 262144.0, 2097152.0, 16777216.0, 134217728.0)


# The stages of a request, in this order. Requests without limits or bodies skip some.
STAGES: Final = ("admit", "limits", "request-hooks", "forward", "upstream", "response-hooks", "respond", "complete")
ADMIT: Final = 0
LIMITS: Final = 1
REQUEST_HOOKS: Final = 2
FORWARD: Final = 3
UPSTREAM: Final = 4
RESPONSE_HOOKS: Final = 5
RESPOND: Final = 6
COMPLETE: Final = 7


KNOWN_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
OTHER_METHOD: Final = "other"
"""What a method is called in metrics that is none of `KNOWN_METHODS`."""

# Seconds by which a timer may be late: a turn of the loop takes less than the first.
LAG_BUCKETS: Final[tuple[float, ...]] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class StageTimes:
    """Where the time of requests goes: nanoseconds spent in each of `STAGES`, and how often.

    Whatever a stage waits for is in its time: ``upstream`` is mostly that.
    """

    __slots__ = ("nanoseconds", "passes")

    def __init__(self) -> None:
        self.nanoseconds = [0] * len(STAGES)
        self.passes = [0] * len(STAGES)

    def add(self, stage: int, since: int) -> int:
        """Count one pass that began at ``since``, of `perf_counter_ns`. Returns the time now: the
        next begins.
        """
        now = perf_counter_ns()
        self.nanoseconds[stage] += now - since
        self.passes[stage] += 1
        return now


class Histogram:
    """Counts per bucket, the last beyond all bounds, and the sum of what was observed.

    Most values belong to the bucket of the one before. So that bucket's bounds are kept at hand,
    and what has come to it since another one was met is not in the list yet.
    """

    __slots__ = ("_above", "_counts", "_index", "_to", "_uncounted", "bounds", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)
        self._index = 0
        self._above = -inf
        self._to = bounds[0]
        self._uncounted = 0

    @property
    def counts(self) -> list[int]:
        """How many values each bucket has."""
        self._count()
        return self._counts

    def observe(self, value: float) -> None:
        """Count one value; a value on a bound belongs below it, as Prometheus has it."""
        if value > self._to or value <= self._above:
            self._count()
            self._find(value)
        self._uncounted += 1
        self.sum += value

    def _count(self) -> None:
        self._counts[self._index] += self._uncounted
        self._uncounted = 0

    def _find(self, value: float) -> None:
        # From the last one on: the next is mostly beside it.
        bounds, index = self.bounds, self._index
        while index < len(bounds) and bounds[index] < value:
            index += 1
        while index and bounds[index - 1] >= value:
            index -= 1
        self._index = index
        self._above = bounds[index - 1] if index else -inf
        self._to = bounds[index] if index < len(bounds) else inf


class RouteStats:
    """What is counted per route.

    Most requests have the method and the status of the one before. They are counted by one
    addition, and brought to the dictionaries when another comes, or when these are read.
    """

    __slots__ = (
        "_method",
        "_methods",
        "_status",
        "_statuses",
        "_uncounted",
        "duration",
        "outcomes",
        "request_size",
        "response_size",
    )

    def __init__(self) -> None:
        self._statuses: defaultdict[int, int] = defaultdict(int)
        self._methods: defaultdict[str, int] = defaultdict(int)
        self._status = 0
        self._method = ""
        self._uncounted = 0
        self.outcomes: defaultdict[int, int] = defaultdict(int)
        self.duration = Histogram(LATENCY_BUCKETS)
        self.request_size = Histogram(SIZE_BUCKETS)
        self.response_size = Histogram(SIZE_BUCKETS)

    @property
    def statuses(self) -> Mapping[int, int]:
        """How many requests had each status; 0: none was sent."""
        self._count()
        return self._statuses

    @property
    def methods(self) -> Mapping[str, int]:
        """How many requests had each of `KNOWN_METHODS`, or `OTHER_METHOD`."""
        self._count()
        return self._methods

    def record(self, summary: Summary) -> None:
        """Count one finished exchange."""
        self.add(
            summary.status,
            summary.method,
            summary.outcome,
            summary.duration,
            summary.request_bytes,
            summary.response_bytes,
        )

    def add(self, status: int, method: str, outcome: int, duration: int, taken: int, given: int) -> None:
        """As `record`; ``duration`` is microseconds, ``taken`` and ``given`` are bytes of the
        bodies.
        """
        if status != self._status or method != self._method:
            self._count()
            self._status, self._method = status, method
        self._uncounted += 1
        if outcome:
            self.outcomes[outcome] += 1
        self.duration.observe(duration / 1e6)
        self.request_size.observe(taken)
        self.response_size.observe(given)

    def _count(self) -> None:
        if self._uncounted:
            method = self._method
            self._statuses[self._status] += self._uncounted
            # Clients must not make series.
            self._methods[method if method in KNOWN_METHODS else OTHER_METHOD] += self._uncounted
            self._uncounted = 0


class LimitCounts:
    """What became of the checks of one limit on one route; with ``shadow`` what would be refused is
    ``shadowed``.

    ``keys`` are those that were refused most, or would have been.
    """

    __slots__ = ("allowed", "keys", "refused", "shadowed")

    def __init__(self) -> None:
        self.keys = TopKeys()
        self.allowed = 0
        self.refused = 0
        self.shadowed = 0

    def by_verdict(self) -> tuple[tuple[str, int], ...]:
        """Each count with what it is called in the metrics."""
        return ("allowed", self.allowed), ("refused", self.refused), ("shadowed", self.shadowed)


class MirrorCounts:
    """What became of the copies of one route's requests: ``dropped`` ones were slower than their
    requests.
    """

    __slots__ = ("answered", "dropped", "failed")

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0
        self.dropped = 0

    def by_result(self) -> tuple[tuple[str, int], ...]:
        """Each count with what it is called in the metrics."""
        return ("answered", self.answered), ("failed", self.failed), ("dropped", self.dropped)


class Stats:
    """Everything the data plane counts.

    Routes are counted by name, so that counts go on over a change of configuration; ``refused``
    counts requests that reached no route, by status; ``upstream_failures`` by upstream, target and
    kind of error; ``limits`` checks by route and limit; ``mirrors`` copies by route and upstream.
    ``upstream_durations`` is how long upstreams took to the head of their answer; ``loop_lag`` how
    late the event loop's timers were. ``stages`` is ``None`` unless the configuration asks for it.
    """

    __slots__ = (
        "limits",
        "loop_lag",
        "mirrors",
        "refused",
        "routes",
        "stages",
        "upstream_durations",
        "upstream_failures",
    )

    def __init__(self, *, stage_times: bool = False) -> None:
        self.stages = StageTimes() if stage_times else None
        self.routes: defaultdict[str, RouteStats] = defaultdict(RouteStats)
        self.refused: defaultdict[int, int] = defaultdict(int)
        self.upstream_durations: defaultdict[str, Histogram] = defaultdict(_latencies)
        self.loop_lag = Histogram(LAG_BUCKETS)
        self.upstream_failures: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.limits: defaultdict[tuple[str, str], LimitCounts] = defaultdict(LimitCounts)
        self.mirrors: defaultdict[tuple[str, str], MirrorCounts] = defaultdict(MirrorCounts)


def _latencies() -> Histogram:
    return Histogram(LATENCY_BUCKETS)
