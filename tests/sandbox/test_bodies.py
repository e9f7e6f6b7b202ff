"""The instances that work on bodies: who has one, and that each comes back."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from sentinel_host.errors import GuestBusy, GuestError, GuestProtocolError, GuestQuarantined
from sentinel_host.messages import HeldRequest, Response
from sentinel_host.sandbox import GuestEngine, GuestMiddleware, Limits, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from tests.bodies.guests import NIL, SLOW, STREAM, TRAP, buffer, on_request, on_response, replace, respond
from tests.support.clocks import PATIENCE
from tests.support.instances import started

from .support import Run, ask, both_loops, settled

MARKED = on_request(STREAM, replace(b"1"), replace(b"2"), replace(b"3"))
SLOWLY = on_request(STREAM, (SLOW, replace(b"1")), (SLOW, replace(b"2")))


def middleware_of(guest: bytes, engine: GuestEngine, **limits: Any) -> GuestMiddleware:
    # A deadline is no matter here unless a test says so, and guests that take their time reach it
    # on a busy machine.
    of_test = Limits(**{"deadline": PATIENCE} | limits)
    return started(load_artefact(parse_artefact(guest, "body.wasm"), "body", engine, of_test))


@both_loops
@pytest.mark.parametrize("isolation", ["shared", "request"])
def test_bodies_that_overlap_never_share_an_instance(engine: GuestEngine, run: Run, isolation: str) -> None:
    middleware = middleware_of(MARKED, engine, isolation=isolation)

    async def main() -> None:
        bodies = [middleware.request_body(b"", b"r") for _ in range(4)]
        for expected in (b"1", b"2"):
            for body in bodies:
                assert await settled(body.on_chunk(b"x", False)) == expected
        for body in bodies:
            assert await settled(body.on_chunk(b"", True)) == b"3"
            body.close()
        # One that has seen an end begins anew.
        assert await settled(middleware.request_body(b"", b"r").on_chunk(b"", True)) == b"1"

    run(main())
    pool = middleware.bodies
    assert pool.size == len(pool.idle) == (4 if isolation == "shared" else 0)


def test_an_answer_that_took_long_is_its_own_after_a_larger_one_that_did_not(engine: GuestEngine) -> None:
    """It was read from where the results of slow calls had lain: memory that a larger result had
    since moved from.
    """
    small, large = b"s" * 700, b"l" * 300_000
    guest = on_request(STREAM, (SLOW, replace(small)), replace(large), (SLOW, replace(small + b"t")))
    middleware = middleware_of(guest, engine)

    async def main() -> None:
        body = middleware.request_body(b"", b"r")
        assert await settled(body.on_chunk(b"x", False)) == small
        assert await settled(body.on_chunk(b"x", False)) == large
        assert await settled(body.on_chunk(b"", True)) == small + b"t"
        body.close()

    asyncio.run(main())


def test_an_answer_means_the_same_whoever_decodes_it(engine: GuestEngine) -> None:
    """C finds the bytes of a quick call, Python those of one that took long."""
    answers: list[Any] = [
        *(replace(b"x" * size) for size in (0, 1, 255, 256, 65_535, 65_536)),
        [0, b"x", None],
        [0, "text"],
        [0],
        [9, b"x"],
        respond(403, b"no"),
        [2, [[[], b"", "/there"], b"x"]],
    ]

    async def meanings(*given: Any) -> list[Any]:
        body = middleware_of(on_request(STREAM, *given), engine).request_body(b"", b"r")
        found: list[Any] = []
        for _ in given:
            try:
                found.append(await settled(body.on_chunk(b"x", False)))
            except GuestProtocolError as error:
                found.append(str(error))
        body.close()
        return found

    async def main() -> None:
        quick = await meanings(*answers)
        assert quick == await meanings(*((SLOW, answer) for answer in answers))
        assert quick[:6] == [answer[1] for answer in answers[:6]]
        assert [type(action) for action in quick] == [bytes] * 7 + [str] * 3 + [Response, HeldRequest]

    asyncio.run(main())


def test_an_instance_that_has_not_seen_the_end_is_closed(engine: GuestEngine) -> None:
    middleware = middleware_of(MARKED, engine)

    async def main() -> None:
        body = middleware.request_body(b"", b"r")
        assert await settled(body.on_chunk(b"x", False)) == b"1"
        body.close()
        body.close()
        assert middleware.bodies.size == 0
        assert await settled(middleware.request_body(b"", b"r").on_chunk(b"", True)) == b"1"

    asyncio.run(main())


@both_loops
def test_a_body_that_is_over_in_the_middle_of_a_call_closes_its_instance_once(engine: GuestEngine, run: Run) -> None:
    """The call and the exchange both once gave the place back: more instances than there may be."""
    middleware = middleware_of(SLOWLY, engine)

    async def main() -> None:
        ended = middleware.request_body(b"", b"r")
        call = asyncio.ensure_future(settled(ended.on_chunk(b"x", False)))
        cancelled = middleware.request_body(b"", b"r")
        other = asyncio.ensure_future(settled(cancelled.on_chunk(b"x", False)))
        await asyncio.sleep(0)
        ended.close()
        cancelled.close()
        other.cancel()
        assert await call == b"1"
        await asyncio.wait([other])
        assert middleware.bodies.size == 0

    run(main())


def test_bodies_are_bounded_and_apart_from_heads(engine: GuestEngine) -> None:
    middleware = middleware_of(MARKED, engine, bodies=2, instances=1, wait=0.01)

    async def main() -> None:
        bodies = [middleware.request_body(b"", b"r") for _ in range(3)]
        for body in bodies[:2]:
            await settled(body.on_chunk(b"x", False))
        with pytest.raises(GuestBusy, match="all 2 instances were busy"):
            await settled(bodies[2].on_chunk(b"x", False))
        assert (await ask(middleware, b"x")).body.limit == 0
        bodies[0].close()
        assert await settled(bodies[2].on_chunk(b"x", False)) == b"1"

    asyncio.run(main())


def test_failures_with_chunks_count_towards_quarantine(engine: GuestEngine) -> None:
    middleware = middleware_of(on_request(STREAM, TRAP), engine)

    async def main() -> None:
        names = []
        for number in range(120):
            body = middleware.request_body(b"", b"r", f"192.0.2.{number % 3}")
            with pytest.raises(GuestError) as failed:
                await settled(body.on_chunk(b"x", True))
            names.append(type(failed.value))
        assert GuestQuarantined in names
        assert names[-1] is GuestQuarantined
        assert middleware.bodies.size == 0

    asyncio.run(main())


def test_a_mode_without_its_hook_is_refused(engine: GuestEngine) -> None:
    requests = middleware_of(on_request(STREAM, chunk_hook=False), engine)
    with pytest.raises(GuestProtocolError, match="asks for the body, and exports no on-request-chunk"):
        asyncio.run(ask(requests, b"x"))
    responses = middleware_of(on_response(STREAM, chunk_hook=False), engine)

    async def respond() -> None:
        await settled(responses.on_response(b"x", b"", b"r"))

    with pytest.raises(GuestProtocolError, match="asks for the body, and exports no on-response-chunk"):
        asyncio.run(respond())


def test_no_more_is_collected_than_the_guest_has_memory_for(engine: GuestEngine) -> None:
    middleware = middleware_of(on_request(buffer((1 << 32) - 1), NIL), engine, memory=8 << 20)

    async def main() -> None:
        assert (await ask(middleware, b"x")).body.limit == 8 << 20

    asyncio.run(main())


@both_loops
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_loses_no_instance(engine: GuestEngine, run: Run, seed: int) -> None:
    """Bodies that end, break off, trap, take time and are cancelled, in any order: every place
    comes back.
    """
    chance = random.Random(seed)
    middleware = middleware_of(
        on_request(STREAM, NIL, (SLOW, NIL), NIL, TRAP), engine, bodies=3, waiting=4, wait=0.02, deadline=0.01
    )

    async def one() -> None:
        body = middleware.request_body(b"", b"r")
        try:
            for left in reversed(range(chance.randrange(1, 5))):
                await settled(body.on_chunk(b"x", left == 0))
                if chance.random() < 0.2:
                    return
        finally:
            body.close()

    async def storm() -> None:
        for _ in range(15):
            tasks = [asyncio.ensure_future(one()) for _ in range(chance.randrange(1, 7))]
            for task in tasks:
                if chance.random() < 0.3:
                    asyncio.get_running_loop().call_later(chance.random() * 0.01, task.cancel)
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                assert ended is None or isinstance(ended, GuestError | asyncio.CancelledError), ended

    run(storm())
    pool = middleware.bodies
    assert pool.size == len(pool.idle) <= 3
    middleware.close()
    assert pool.size == 0
