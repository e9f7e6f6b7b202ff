"""Targets as they are written in the configuration."""

from __future__ import annotations

from typing import Final

from sentinel_host.http.client import Target
from sentinel_host.upstream.discovery import WeightedTarget

_SERVICE: Final = {"srv": "http", "srv+https": "https"}


def weighted_target(url: str, weight: int) -> WeightedTarget:
    """Read a target. Raises `ConfigError`."""
    scheme, _, rest = url.partition("://")
    if scheme in _SERVICE:
        return WeightedTarget(Target(_SERVICE[scheme], "", 0), weight, rest)
    return WeightedTarget(Target.parse(url if scheme == "http+unix" else url.rstrip("/")), weight)
