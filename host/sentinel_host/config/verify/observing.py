"""Rules for what operators see."""

from __future__ import annotations

from sentinel_host.config.model import Config
from sentinel_host.config.verify.faults import fail


def verify_observing(config: Config) -> None:
    """Raises `ConfigError` for the first key that is wrong."""
    tracing = config.tracing
    if tracing is not None and not 0 <= tracing.share <= 1:
        raise fail(config, "tracing.share", f"expected 0 to 1, got {tracing.share:g}")
