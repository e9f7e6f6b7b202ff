"""How much of a body a guest gets in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from sentinel_host.errors import GuestError, GuestTrap
from sentinel_host.messages import BodyKind, BodyMode, Response
from sentinel_host.pipeline.filters import MOST_AT_ONCE, BodyFilter, BodyFilterChain, LocalReply
from sentinel_host.pipeline.middleware import Middleware

BODY = bytes(range(256)) * 1000
Work = Callable[[bytes, bool], Any]


@dataclass
class Guest:
    """What the filters ask a guest about."""

    name: str = "fake"
    on_failure: str = "closed"


@dataclass
class Hook:
    """One body's calls in plain Python."""

    work: Work
    seen: list[tuple[int, bool]] = field(default_factory=list)
    closed: bool = False

    def on_chunk(self, data: bytes, last: bool) -> Any:
        self.seen.append((len(data), last))
        return self.work(data, last)

    def broke(self, reason: str) -> GuestError:
        return GuestTrap("fake", "on-response-chunk", reason)

    def close(self) -> None:
        self.closed = True


def chain_of(hook: Hook, on_failure: str = "closed", kind: BodyKind = BodyKind.STREAM) -> BodyFilterChain:
    guest = cast("Middleware", Guest(on_failure=on_failure))
    return BodyFilterChain(
        [BodyFilter(0, guest, BodyMode(kind, len(BODY)), hook)],
        b"r-1",
        lambda error: Response(503, []),
        lambda edits: None,
        lambda place: None,
        lambda name, limit: GuestTrap(name, "on-response-chunk", "too large"),
    )


def test_a_stream_comes_in_pieces_of_a_bounded_size() -> None:
    hook = Hook(lambda data, last: None)
    chain = chain_of(hook)
    assert asyncio.run(chain.push(BODY, False)) == BODY
    assert asyncio.run(chain.push(BODY, True)) == BODY
    sizes = [MOST_AT_ONCE] * 3 + [len(BODY) - 3 * MOST_AT_ONCE]
    assert hook.seen == [*((size, False) for size in sizes), *zip(sizes, [False] * 3 + [True], strict=True)]


def test_a_piece_of_exactly_that_size_is_one_call() -> None:
    hook = Hook(lambda data, last: None)
    asyncio.run(chain_of(hook).push(bytes(MOST_AT_ONCE), True))
    assert hook.seen == [(MOST_AT_ONCE, True)]


def test_what_a_guest_makes_of_the_pieces_comes_out_in_order() -> None:
    async def later(data: bytes) -> bytes:
        return data.upper()

    def work(data: bytes, last: bool) -> bytes | Awaitable[bytes] | None:
        if last:
            return b"last"
        return {1: b"first", 2: None}[len(hook.seen)] if len(hook.seen) < 3 else later(data)

    hook = Hook(work)
    out = asyncio.run(chain_of(hook).push(BODY, True))
    second, third = (BODY[index * MOST_AT_ONCE :][:MOST_AT_ONCE] for index in (1, 2))
    assert out == b"first" + second + third.upper() + b"last"


def test_a_guest_that_buffers_gets_all_at_once() -> None:
    hook = Hook(lambda data, last: None)
    assert asyncio.run(chain_of(hook, kind=BodyKind.BUFFER).push(BODY, True)) == BODY
    assert hook.seen == [(len(BODY), True)]


def test_a_guest_that_fails_in_the_middle_is_skipped_if_it_has_changed_nothing() -> None:
    def work(data: bytes, last: bool) -> None:
        if len(hook.seen) == 2:
            raise GuestTrap("fake", "on-response-chunk", "boom")

    hook = Hook(work)
    chain = chain_of(hook, on_failure="open")
    assert asyncio.run(chain.push(BODY, False)) == BODY
    assert asyncio.run(chain.push(b"rest", True)) == b"rest"
    assert len(hook.seen) == 2
    assert hook.closed


def test_a_guest_that_fails_after_a_change_ends_the_exchange() -> None:
    def work(data: bytes, last: bool) -> bytes:
        if len(hook.seen) == 2:
            raise GuestTrap("fake", "on-response-chunk", "boom")
        return b"changed"

    hook = Hook(work)
    with pytest.raises(LocalReply) as reply:
        asyncio.run(chain_of(hook, on_failure="open").push(BODY, True))
    assert reply.value.head.status == 503
