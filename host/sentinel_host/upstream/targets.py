"""Targets as they are written in the configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.http.client import Target
from sentinel_host.upstream.discovery import WeightedTarget

_SERVICE: Final = {"srv": "http", "srv+https": "https"}


def weighted_targets(config: UpstreamConfig) -> list[WeightedTarget]:
    """The targets of an upstream. Raises `ConfigError`."""
    name = config.server_name or ""
    return [weighted_target(target.url, target.weight, name) for target in config.weighted_targets()]


def weighted_target(url: str, weight: int, server_name: str = "") -> WeightedTarget:
    """Read a target. Raises `ConfigError`."""
    scheme, _, rest = url.partition("://")
    if scheme in _SERVICE:
        return WeightedTarget(Target(_SERVICE[scheme], "", 0, tls_name=server_name), weight, rest)
    target = Target.parse(url if scheme == "http+unix" else url.rstrip("/"))
    return WeightedTarget(replace(target, tls_name=server_name), weight)
