"""A guest's own metrics, in the gateway's ``/metrics``. Needs the grant ``metrics``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from sentinel_sdk._host import host

Kind = Literal["counter", "histogram"]
"""What `add` counts, and what `observe` observes."""

KINDS: tuple[Kind, ...] = ("counter", "histogram")


def add(name: str, labels: Mapping[str, str] | None = None, value: int = 1) -> None:
    """Add to a counter."""
    host().metrics_add(name, list((labels or {}).items()), value)


def observe(name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
    """Count a value in a histogram."""
    host().metrics_observe(name, list((labels or {}).items()), value)


def describe(name: str, kind: Kind, help: str = "", *, unit: str = "", bounds: Sequence[float] = ()) -> None:
    """Say what a metric is, in ``configure``; saying the same again changes nothing.

    ``help`` has at most 256 bytes. The name ends in ``unit``, such as ``seconds``. ``bounds`` are
    the upper ends of a histogram's buckets, at most 16, ascending. What breaks these rules is
    refused with a warning in the log. Raises ValueError for another kind.
    """
    host().metrics_describe(name, KINDS.index(kind), help, unit, [float(bound) for bound in bounds])
