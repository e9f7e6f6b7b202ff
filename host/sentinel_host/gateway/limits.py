"""A route's limits: those checked before the guests, those checked after them, and their response
fields.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sentinel_host.config import Config, LimitConfig
from sentinel_host.errors import ConfigError
from sentinel_host.gateway.stats import LimitCounts
from sentinel_host.limiter import (
    POLICY,
    STATE,
    AddressKeys,
    Algorithm,
    Checked,
    KeyFunction,
    Limit,
    Overflow,
    SharedTable,
    Style,
    key_function,
    limit_headers,
    refusal_headers,
    seconds_of,
)
from sentinel_host.messages import Headers, RequestHead
from sentinel_host.net import Names

if TYPE_CHECKING:
    # It imports the client library, which only gateways with a store need.
    from sentinel_host.limiter.store import LimitStore

_DRAFT: Final = Style.DRAFT

_log: Final = logging.getLogger("sentinel.gateway")


@dataclass(slots=True)
class Counters:
    """Where limits count: the table that this machine's workers share, the store that machines
    share, if any, and by route and limit what became of requests, for the metrics.
    """

    table: SharedTable
    counts: defaultdict[tuple[str, str], LimitCounts]
    store: LimitStore | None = None


def open_store(counters: Counters, config: Config, names: Names) -> LimitStore:
    """The configured store, not connected yet. Raises `ConfigError`."""
    from sentinel_host.limiter.store import LimitStore

    def report(reason: str | None) -> None:
        if reason is None:
            _log.warning("the limit store answers")
        else:
            _log.error("the limit store is away, limits go on for this machine alone: %s", reason)

    try:
        return LimitStore(config.server.limit_store or "", counters.table, report, names)
    except (TypeError, ValueError):
        # The library's message may contain the password.
        raise ConfigError(f"{config.file}: server.limit_store: the client does not accept it") from None


async def share(counters: Counters, store: LimitStore) -> None:
    """Share counts with other machines until cancelled; pending counts are sent before the end.

    While the store is unreachable, this machine counts alone. That is logged once.
    """
    counters.store = store
    ended: BaseException | None = None
    try:
        await store.run()
    except BaseException as error:
        ended = error
    counters.store = None
    await store.close()
    if ended is not None:
        raise ended


class RouteLimit:
    """One configured limit on one route."""

    __slots__ = (
        "_addresses",
        "_begun",
        "_key",
        "_native",
        "_plan_header",
        "_plans",
        "counts",
        "limit",
        "shadow",
        "strict",
    )

    def __init__(self, config: LimitConfig, route: str, counts: LimitCounts, ipv6_prefix: int) -> None:
        def limit(requests: int) -> Limit:
            return Limit(
                requests=requests,
                window=config.window,
                algorithm=Algorithm(config.algorithm),
                name=config.name,
                scope=route,
                overflow=Overflow(config.overflow),
            )

        # A header is a header: before the guests it is the client's, after them it is as they left
        # it.
        parts = [f"header:{part[6:]}" if part.startswith("guest:") else part for part in config.parts()]
        self.counts = counts
        self.shadow = config.shadow
        self.strict = config.consistency == "strict"
        self._key: KeyFunction = key_function(parts, ipv6_prefix)
        # The usual key, without the call of a function that may be any.
        self._addresses = AddressKeys(ipv6_prefix) if parts == ["client-ip"] else None
        self.limit = limit(config.requests)
        # Of these `check_and_tell` makes its field. A tuple of two would be made anew each time that
        # it is passed on.
        self._native = self.limit.native_bytes
        self._begun: object = (STATE, self.limit.quoted_name)
        self._plan_header = (config.plan_header or "").encode("ascii")
        self._plans = {plan.encode(): limit(requests) for plan, requests in config.plans.items()}

    def check(self, table: SharedTable, store: LimitStore | None, head: RequestHead) -> Checked:
        """Count the request; the number is negative if it is refused. Other machines get the count
        later.
        """
        limit = self._limit_of(head)
        key = self._key_of(head)
        packed = table.check(limit, key)
        if packed < 0:
            self.counts.keys.add(key)
        if store is not None and limit.algorithm is Algorithm.FIXED_WINDOW:
            store.count(limit, key, packed)
        return limit, packed

    async def check_strictly(self, store: LimitStore, head: RequestHead) -> Checked:
        """As `check`, by the store's own count: one round trip."""
        limit, key = self._limit_of(head), self._key(head)
        packed = await store.check(limit, key)
        if packed < 0:
            self.counts.keys.add(key)
        return limit, packed

    def check_and_tell(self, table: SharedTable, head: RequestHead) -> object:
        """Count the request by a limit that has no plans, and count what became of it; see
        `SharedTable.check_and_tell`.
        """
        key, counts = self._key_of(head), self.counts
        told = table.check_and_tell(self._native, key, self._begun)
        if isinstance(told, int):
            counts.keys.add(key)
            counts.refused += 1
        else:
            counts.allowed += 1
        return told

    def _key_of(self, head: RequestHead) -> bytes:
        addresses = self._addresses
        return self._key(head) if addresses is None else addresses.of(head.client)

    def _limit_of(self, head: RequestHead) -> Limit:
        if self._plans:
            for name, value in head.headers:
                if name == self._plan_header:
                    return self._plans.get(value, self.limit)
        return self.limit


class RouteLimits:
    """The limits of one route; immutable. With ``strict`` ones among them checks may have to
    wait.
    """

    __slots__ = (
        "_alone",
        "_counters",
        "_policy",
        "_refused_fields",
        "_refused_limit",
        "_refused_seconds",
        "_style",
        "after",
        "before",
        "is_early",
        "strict",
    )

    def __init__(
        self, route: str, limits: Sequence[LimitConfig], counters: Counters, style: Style, ipv6_prefix: int
    ) -> None:
        self._counters = counters
        self._style = style
        # What the last refusal by a single limit was told, and by what.
        self._refused_limit: Limit | None = None
        self._refused_seconds = -1
        self._refused_fields: Headers = []
        made = [(limit, RouteLimit(limit, route, counters.counts[route, limit.name], ipv6_prefix)) for limit in limits]
        self.before = tuple(limit for config, limit in made if not config.needs_guests)
        self.after = tuple(limit for config, limit in made if config.needs_guests)
        self.strict = any(limit.strict for limit in (*self.before, *self.after))
        # Those before the guests can be checked without waiting.
        self.is_early = bool(self.before) and not self.strict
        self._alone: RouteLimit | None = None
        self._policy: object = None
        if len(limits) == 1 and self.is_early and style is _DRAFT and not limits[0].shadow:
            # The usual case: what it tells needs no other's. Plans are for limits after the guests.
            self._alone = self.before[0]
            self._policy = (POLICY, self._alone.limit.policy)

    def check(self, limits: tuple[RouteLimit, ...], head: RequestHead, checked: list[Checked]) -> bool:
        """Count the request against each of ``limits`` and add what is found; true when one
        refuses.

        All are counted even if one refuses: the answer tells the client about each of them.
        """
        refused = False
        counters = self._counters
        for limit in limits:
            result = limit.check(counters.table, counters.store, head)
            refused = self._note(limit, result, checked) or refused
        return refused

    async def check_strictly(self, limits: tuple[RouteLimit, ...], head: RequestHead, checked: list[Checked]) -> bool:
        """As `check`, but where there is a store strict limits ask it."""
        refused = False
        counters = self._counters
        for limit in limits:
            if limit.strict and counters.store is not None:
                result = await limit.check_strictly(counters.store, head)
            else:
                result = limit.check(counters.table, counters.store, head)
            refused = self._note(limit, result, checked) or refused
        return refused

    def _note(self, limit: RouteLimit, result: Checked, checked: list[Checked]) -> bool:
        over, counts = result[1] < 0, limit.counts
        if not over:
            counts.allowed += 1
        elif limit.shadow:
            counts.shadowed += 1
        else:
            counts.refused += 1
        if limit.shadow:
            return False
        checked.append(result)
        return over

    def check_alone(self, head: RequestHead) -> object:
        """Count the request if one limit is all that there is to check and to tell; else `None`.

        Of a request that is allowed, the ``RateLimit`` field, for `tell`. Of one that is refused,
        an ``int``, for `refusal_alone`.
        """
        alone, counters = self._alone, self._counters
        if alone is None or counters.store is not None:
            return None
        return alone.check_and_tell(counters.table, head)

    def tell(self, headers: list[Any], told: object, checked: list[Checked] | None) -> None:
        """Add the fields of an answer to ``headers``: by what `check_alone` told, or by what was
        checked.
        """
        if told is not None:
            headers.append(self._policy)
            headers.append(told)
        elif checked:
            headers.extend(limit_headers(checked, self._style))

    def headers(self, checked: list[Checked]) -> Headers:
        """The fields that tell the client, ``Retry-After`` included when it was refused."""
        return limit_headers(checked, self._style)

    def refusal(self, checked: list[Checked]) -> Headers:
        """As `headers`, for a request that limits of this machine refused; the caller may not
        change them. Times are told in seconds, so that most refusals of a busy client are told the
        same.
        """
        if len(checked) != 1:
            return limit_headers(checked, self._style)
        limit, packed = checked[0]
        return self._refusal(limit, seconds_of(packed))

    def refusal_alone(self, seconds: int) -> Headers:
        """As `refusal`, by what `check_alone` told."""
        assert self._alone is not None
        return self._refusal(self._alone.limit, seconds)

    def _refusal(self, limit: Limit, seconds: int) -> Headers:
        if limit is not self._refused_limit or seconds != self._refused_seconds:
            self._refused_fields = refusal_headers(limit, seconds, self._style)
            self._refused_limit, self._refused_seconds = limit, seconds
        return self._refused_fields
