"""A guest's own metrics, in the gateway's ``/metrics``. Needs the grant ``metrics``."""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_sdk._host import host


def add(name: str, labels: Mapping[str, str] | None = None, value: int = 1) -> None:
    """Add to a counter."""
    host().metrics_add(name, list((labels or {}).items()), value)


def observe(name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
    """Count a value in a histogram."""
    host().metrics_observe(name, list((labels or {}).items()), value)
