"""What is configured of an upstream, as its balancer reads it: plain numbers, none of them looked
up per request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentinel_host.config.upstreams import EjectConfig, RetryConfig, UpstreamConfig

POLICIES: Final = ("least-requests", "round-robin", "random", "hash")
"""As they are numbered in host/native/endpoints/src/group.h."""


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Times are in seconds, shares in percent; None switches off."""

    policy: int
    panic_percent: int
    slow_start: float
    eject: EjectConfig | None
    retry: RetryConfig | None
    max_requests: int
    max_pending: int
    check_interval: float | None

    @classmethod
    def of(cls, config: UpstreamConfig) -> UpstreamSettings:
        """What a configuration says."""
        return cls(
            policy=POLICIES.index(config.balance),
            panic_percent=config.panic,
            slow_start=config.slow_start,
            eject=config.ejects,
            retry=config.retries,
            max_requests=config.breaker.max_requests,
            max_pending=config.breaker.max_pending,
            check_interval=config.check.interval if config.check else None,
        )
