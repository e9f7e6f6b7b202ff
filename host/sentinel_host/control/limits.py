"""What operators are told about routes' limits: what they allow, how often they refuse, and
whom.
"""

from __future__ import annotations

import msgspec

from sentinel_host.config import Config, LimitConfig
from sentinel_host.control.snapshot import LIMIT_KEYS, Snapshot

_MOST_KEYS = 10


class KeyView(msgspec.Struct, frozen=True):
    """A key that a limit refused ``refused`` times, or would have, by its digest: BLAKE2b of 8
    bytes.
    """

    digest: str
    refused: int


class LimitView(msgspec.Struct, frozen=True):
    """A limit of a route. ``window`` is in seconds; ``shadow`` means that it counts and refuses
    nobody.

    ``keys`` are those that it refused most, the worst first; a key's count is of the workers that
    run.
    """

    route: str
    name: str
    requests: int
    window: float
    key: list[str]
    algorithm: str
    shadow: bool
    plans: dict[str, int]
    allowed: int
    refused: int
    shadowed: int
    keys: list[KeyView]


def view_limits(config: Config, snapshot: Snapshot) -> list[LimitView]:
    """Every limit of every route, in the order of the configuration."""
    return [_view(route.name or route.path, limit, snapshot) for route in config.route for limit in route.all_limits()]


def _view(route: str, limit: LimitConfig, snapshot: Snapshot) -> LimitView:
    checks = snapshot.counters.get("sentinel_limit_checks", {})
    allowed, refused, shadowed = (
        int(checks.get((route, limit.name, verdict), 0)) for verdict in ("allowed", "refused", "shadowed")
    )
    keys = [
        KeyView(labels[2], int(count))
        for labels, count in snapshot.gauges.get(LIMIT_KEYS, {}).items()
        if labels[:2] == (route, limit.name)
    ]
    keys.sort(key=lambda each: (-each.refused, each.digest))
    return LimitView(
        route=route,
        name=limit.name,
        requests=limit.requests,
        window=float(limit.window),
        key=limit.parts(),
        algorithm=limit.algorithm,
        shadow=limit.shadow,
        plans=limit.plans,
        allowed=allowed,
        refused=refused,
        shadowed=shadowed,
        keys=keys[:_MOST_KEYS],
    )
