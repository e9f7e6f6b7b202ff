"""A worker's counts at one moment, as plain numbers. The process with the admin side adds them
up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, TypeVar

import msgspec

# By the values of a family's labels, in the family's order.
Numbers: TypeAlias = dict[tuple[str, ...], float]


_Key = TypeVar("_Key")


GUESTS_OWN = "guest"
"""The family of all counters of guests' own.

Its labels are the guest, the metric's name, and names and values of the metric's labels in turn.
"""


LIMIT_KEYS = "limit_keys"
"""The family, no metric, that says how often each limit refused its most refused keys: its labels
are route, limit and the digest of the key.
"""


Exemplar: TypeAlias = tuple[str, str, float, float]
"""A sampled trace and its span, what was observed of it, and when, in seconds since 1970."""


class Distribution(msgspec.Struct):
    """A histogram: the buckets' upper ``bounds``, and by label values the count per bucket, the
    last beyond all bounds, followed by the sum of what was observed.
    """

    bounds: tuple[float, ...] = ()
    values: dict[tuple[str, ...], list[float]] = {}
    exemplars: dict[tuple[str, ...], dict[int, Exemplar]] = {}


class Description(msgspec.Struct, frozen=True):
    """What a guest says of one of its metrics: help text and unit, which may be empty, and a
    histogram's ``bounds``. ``at`` is when, in nanoseconds of the machine's monotonic clock: the
    newest of all workers counts.
    """

    is_histogram: bool
    help: str
    unit: str
    bounds: tuple[float, ...]
    at: int


class EndpointReport(msgspec.Struct):
    """An endpoint as a worker uses it: its connections, and requests ``waiting`` for one."""

    name: str
    weight: int
    open: int = 0
    idle: int = 0
    waiting: int = 0
    tunnels: int = 0


class UpstreamReport(msgspec.Struct):
    """An upstream as a worker has it, with its endpoints by their keys in the table; ``slow_start``
    in seconds.
    """

    policy: str
    slow_start: float
    endpoints: dict[int, EndpointReport] = {}


class Snapshot(msgspec.Struct):
    """Numbers by the name of their metric family; `sentinel_host.control.metrics` lists the
    families.

    ``upstreams`` are by name. ``own_histograms`` are those of guests' own, by guest and metric;
    their labels are names and values in turn. ``descriptions`` go by the same.
    """

    counters: dict[str, Numbers] = {}
    gauges: dict[str, Numbers] = {}
    histograms: dict[str, Distribution] = {}
    upstreams: dict[str, UpstreamReport] = {}
    own_histograms: dict[tuple[str, str], Distribution] = {}
    descriptions: dict[tuple[str, str], Description] = {}

    def without_gauges(self) -> Snapshot:
        """The counts of an ended worker: its counters stay, and its gauges are gone."""
        return Snapshot(
            counters=self.counters,
            histograms=self.histograms,
            own_histograms=self.own_histograms,
            descriptions=self.descriptions,
        )


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The sums of all numbers that any snapshot has, and the newest descriptions."""
    total = Snapshot()
    snapshots = list(snapshots)
    for snapshot in snapshots:
        for key, described in snapshot.descriptions.items():
            if key not in total.descriptions or total.descriptions[key].at < described.at:
                total.descriptions[key] = described
    for snapshot in snapshots:
        _add(total.counters, snapshot.counters)
        _add(total.gauges, snapshot.gauges)
        for name, distribution in snapshot.histograms.items():
            _add_distribution(total.histograms, name, distribution)
        for key, distribution in snapshot.own_histograms.items():
            newest = total.descriptions.get(key)
            # A worker whose guest has not been replaced yet counts in other buckets.
            if newest is None or newest.bounds in ((), distribution.bounds):
                _add_distribution(total.own_histograms, key, distribution)
        for name, report in snapshot.upstreams.items():
            _add_upstream(total.upstreams, name, report)
    return total


def _add(total: dict[str, Numbers], families: dict[str, Numbers]) -> None:
    for name, numbers in families.items():
        sums = total.setdefault(name, {})
        for labels, value in numbers.items():
            sums[labels] = sums.get(labels, 0) + value


def _add_distribution(total: dict[_Key, Distribution], name: _Key, more: Distribution) -> None:
    known = total.get(name)
    exemplars = known.exemplars if known is not None and known.bounds == more.bounds else {}
    for labels, found in more.exemplars.items():
        latest = exemplars.setdefault(labels, {})
        for bucket, exemplar in found.items():
            if bucket not in latest or latest[bucket][-1] < exemplar[-1]:
                latest[bucket] = exemplar
    if known is None or known.bounds != more.bounds:
        # Workers of two versions, while one replaces the other, may count in different buckets: the
        # later ones stay.
        copied = {labels: list(values) for labels, values in more.values.items()}
        total[name] = Distribution(more.bounds, copied, exemplars)
        return
    for labels, values in more.values.items():
        sums = known.values.get(labels)
        known.values[labels] = list(values) if sums is None else [a + b for a, b in zip(sums, values, strict=True)]


def _add_upstream(total: dict[str, UpstreamReport], name: str, more: UpstreamReport) -> None:
    # While a configuration replaces another, workers may differ: the later ones' settings count.
    known = total[name].endpoints if name in total else {}
    total[name] = UpstreamReport(more.policy, more.slow_start, known)
    for key, each in more.endpoints.items():
        before = known.get(key) or EndpointReport(each.name, each.weight)
        known[key] = EndpointReport(
            each.name,
            each.weight,
            before.open + each.open,
            before.idle + each.idle,
            before.waiting + each.waiting,
            before.tunnels + each.tunnels,
        )
