"""Records of requests and events, from a gateway that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import cast

import msgspec

from sentinel_host.control import Overview
from sentinel_host.control.events import Events
from sentinel_host.control.recent import RecentRequests
from sentinel_host.observe import RequestRecord, Ring, Taken


def record(number: int, path: str = "/") -> RequestRecord:
    return RequestRecord(
        id=str(number),
        why="watched",
        worker=0,
        started_at=number,
        route="all",
        method="GET",
        scheme="http",
        authority="a",
        path=path,
        query=None,
        client="",
        http_version="1.1",
    )


class Played:
    """Workers whose records a test adds, by number."""

    def __init__(self) -> None:
        self.rings = {0: Ring(), 1: Ring()}
        self.asked: list[tuple[bool, str]] = []
        self.is_ending = False

    async def records(self, after: Mapping[int, int], *, watch: bool, explain: str = "") -> dict[int, Taken]:
        self.asked.append((watch, explain))
        return {worker: ring.after(after.get(worker, 0)) for worker, ring in self.rings.items()}


def recent(played: Played, capacity: int = 1 << 20) -> RecentRequests:
    return RecentRequests(cast(Overview, played), lambda: "the token", capacity)


def ids(records: list[RequestRecord]) -> list[str]:
    return [each.id for each in records]


def test_each_record_is_new_once() -> None:
    async def main() -> None:
        played = Played()
        kept = recent(played)
        played.rings[0].add(record(1))
        played.rings[1].add(record(3))
        played.rings[0].add(record(2))
        assert ids(await kept.refresh(watch=True)) == ["1", "2", "3"]
        assert await kept.refresh(watch=False) == []
        played.rings[1].add(record(4))
        assert ids(await kept.refresh(watch=True)) == ["4"]
        assert ids(kept.latest(3)) == ["4", "3", "2"]
        assert set(played.asked) == {(True, "the token"), (False, "the token")}

    asyncio.run(main())


def test_a_worker_that_was_replaced_begins_anew() -> None:
    async def main() -> None:
        played = Played()
        kept = recent(played)
        for number in range(5):
            played.rings[0].add(record(number))
        await kept.refresh(watch=True)
        played.rings[0] = Ring()
        played.rings[0].add(record(10))
        assert ids(await kept.refresh(watch=True)) == ["10"]
        assert len(kept.latest(100)) == 6

    asyncio.run(main())


def test_what_is_kept_is_bounded() -> None:
    async def main() -> None:
        played = Played()
        kept = recent(played, capacity=100_000)
        for number in range(300):
            played.rings[0].add(record(number, "/" + "x" * 1000))
        await kept.refresh(watch=True)
        found = kept.latest(1000)
        assert 50 < len(found) < 100
        assert found[0].id == "299"

    asyncio.run(main())


class Told(msgspec.Struct):
    """A state that is a number."""

    number: int


def quick(played: Played) -> Events:
    """Events without waiting."""
    numbers = count()

    async def view(overview: Overview) -> Told:
        return Told(next(numbers))

    return Events(cast(Overview, played), recent(played), view, 0.0)


def test_who_reads_slowly_misses_some_and_delays_nobody() -> None:
    async def main() -> None:
        played = Played()
        events = quick(played)
        slow, fast = events.listen(), events.listen()
        assert (await anext(slow)).startswith(b"event: requests\ndata: []")
        await anext(fast)
        await anext(slow)
        seen = [await anext(fast) for _ in range(50)]
        assert len(set(seen)) == 50
        number = int(seen[-1].partition(b'"number":')[2].partition(b"}")[0])
        late = int((await anext(slow)).partition(b'"number":')[2].partition(b"}")[0])
        assert late >= number - 10
        for listening in (slow, fast):
            await listening.aclose()

    asyncio.run(main())


def test_nobody_is_asked_once_nobody_listens() -> None:
    async def main() -> None:
        played = Played()
        events = quick(played)
        listening = events.listen()
        for _ in range(3):
            await anext(listening)
        await listening.aclose()
        asked = len(played.asked)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(played.asked) == asked

    asyncio.run(main())


def test_listening_ends_with_the_gateway() -> None:
    async def main() -> None:
        played = Played()
        events = quick(played)
        listening = events.listen()
        await anext(listening)
        await anext(listening)
        played.is_ending = True
        assert len([message async for message in listening]) <= 5

    asyncio.run(main())
