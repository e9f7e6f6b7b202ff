"""What a route's limits find and tell, on a table of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from sentinel_host.config import LimitConfig
from sentinel_host.gateway.limits import Counters, RouteLimits
from sentinel_host.gateway.stats import LimitCounts
from sentinel_host.limiter import Checked, SharedTable, Style
from sentinel_host.messages import Headers, RequestHead

HOUR = 3600.0


@pytest.fixture
def counters() -> Iterator[Counters]:
    table = SharedTable.create(256)
    yield Counters(table, defaultdict(LimitCounts))
    table.close()


def head(client: str = "192.0.2.1", headers: Headers | None = None) -> RequestHead:
    return RequestHead("GET", "/", None, headers or [], "http", "example.org", client, "id", "/", "1.1")


def limits(counters: Counters, *configured: LimitConfig, style: Style = Style.DRAFT) -> RouteLimits:
    return RouteLimits("/", configured, counters, style, 64)


@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        ("client-ip", head("2001:db8::1"), head("2001:db8:0:1::1")),
        ("header:x-tenant", head(headers=[(b"x-tenant", b"a")]), head(headers=[(b"x-tenant", b"b")])),
        (["client-ip", "route"], head(), head("192.0.2.2")),
    ],
)
@pytest.mark.parametrize("algorithm", ["fixed-window", "leaky-bucket"])
def test_a_limit_that_is_alone_counts_and_tells_at_once(
    counters: Counters, key: str | list[str], same: RequestHead, other: RequestHead, algorithm: Any
) -> None:
    alone = limits(counters, LimitConfig(2, HOUR, key=key, name="few", algorithm=algorithm))
    found = [alone.check_alone(request) for request in (same, same, other)]
    told: list[Headers] = [[(b"server", b"x")] for _ in found]
    for fields, one in zip(told, found, strict=True):
        alone.tell(fields, one, None)
    assert [[name for name, _ in fields] for fields in told] == [[b"server", b"ratelimit-policy", b"ratelimit"]] * 3
    assert [fields[1][1] for fields in told] == [b'"few";q=2;w=3600'] * 3
    assert [fields[2][1].split(b";")[:2] for fields in told] == [[b'"few"', b"r=%d" % left] for left in (1, 0, 1)]
    seconds = alone.check_alone(same)
    assert isinstance(seconds, int)
    state = b'"few";r=0;t=%d' % seconds
    assert 0 < seconds <= 3600
    refused = [(b"ratelimit-policy", b'"few";q=2;w=3600'), (b"ratelimit", state), (b"retry-after", b"%d" % seconds)]
    assert alone.refusal_alone(seconds) == refused
    counts = counters.counts["/", "few"]
    assert dict(counts.by_verdict()) == {"allowed": 3, "refused": 1, "shadowed": 0}
    assert list(counts.keys.counts.values()) == [1]


def test_it_counts_together_with_checks_of_the_ordinary_way(counters: Counters) -> None:
    few = limits(counters, LimitConfig(3, HOUR))
    checked: list[Checked] = []
    assert not few.check(few.before, head(), checked)
    assert not isinstance(few.check_alone(head()), int)
    assert not few.check(few.before, head(), checked)
    assert few.check(few.before, head(), checked)
    seconds = few.check_alone(head())
    assert isinstance(seconds, int)
    told: Headers = []
    few.tell(told, None, checked[:1])
    assert told[0] == (b"ratelimit-policy", b'"default";q=3;w=3600')
    assert [name for name, _ in few.refusal(checked[2:])] == [name for name, _ in few.refusal_alone(seconds)]


@pytest.mark.parametrize(
    ("configured", "style"),
    [
        ([LimitConfig(9, HOUR), LimitConfig(9, HOUR, name="other")], Style.DRAFT),
        ([LimitConfig(9, HOUR), LimitConfig(9, HOUR, name="other", key="guest:x-user")], Style.DRAFT),
        ([LimitConfig(9, HOUR, key="guest:x-user")], Style.DRAFT),
        ([LimitConfig(9, HOUR, plan_header="x-plan", plans={"gold": 99})], Style.DRAFT),
        ([LimitConfig(9, HOUR, shadow=True)], Style.DRAFT),
        ([LimitConfig(9, HOUR, consistency="strict")], Style.DRAFT),
        ([LimitConfig(9, HOUR)], Style.LEGACY),
        ([LimitConfig(9, HOUR)], Style.NONE),
    ],
)
def test_what_needs_more_is_checked_in_the_ordinary_way(
    counters: Counters, configured: list[LimitConfig], style: Style
) -> None:
    assert limits(counters, *configured, style=style).check_alone(head()) is None
    assert counters.table.live() == 0


def test_where_there_is_a_store_it_hears_of_each_request(counters: Counters) -> None:
    counters.store = object()  # type: ignore[assignment]
    assert limits(counters, LimitConfig(9, HOUR)).check_alone(head()) is None
    assert counters.table.live() == 0
