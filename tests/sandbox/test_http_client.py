"""Calls that wait for an answer from outside: suspended, cancelled, several at once, and hostile
ones.
"""

from __future__ import annotations

import asyncio
import struct

import pytest

from sentinel_host.errors import GuestTimeout, GuestTrap
from sentinel_host.sandbox import GuestEngine
from tests.support.instances import started
from tests.support.logs import said

from .conftest import Load, Ran
from .support import Run, Service, ask, both_loops, granting

AREA = 64
GOOD = struct.pack("<III", 128, 19, AREA)


@both_loops
def test_waiting_does_not_use_the_deadline_up(load: Load, engine: GuestEngine, ran: Ran, run: Run) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_raw", granting(service)))
        call = asyncio.ensure_future(ask(middleware, GOOD))
        await service.has_begun()
        # More than its deadline allows.
        ran.seconds += 10.0
        assert not call.done()
        service.go.set()
        context = (await call).context
        assert context[0] == 0
        assert context[8:] == struct.pack("<I", 4) + b"four"
        assert service.labels == ["r"]
        # The same instance serves on.
        assert (await ask(middleware, GOOD)).context == context
        counts = engine.snapshot()["http_raw"]
        assert (counts["deadlines"], counts["instances"], counts["http_answered"]) == (0, 1, 2)

    run(main())


@both_loops
def test_several_wait_at_once_and_cost_nothing_meanwhile(load: Load, engine: GuestEngine, run: Run) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_raw", granting(service), instances=20))
        calls = [asyncio.ensure_future(ask(middleware, GOOD)) for _ in range(20)]
        await service.has_begun(20)
        assert len(engine.queue) == 0, "waiting calls are polled"
        service.go.set()
        assert {answer.context[12:] for answer in await asyncio.gather(*calls)} == {b"four"}
        assert len(engine.queue) == 0
        assert engine.snapshot()["http_raw"]["instances"] == 20

    run(main())


@both_loops
def test_a_call_that_is_cancelled_takes_its_instance_with_it(load: Load, engine: GuestEngine, run: Run) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_raw", granting(service), instances=1))
        for turn in range(1, 4):
            call = asyncio.ensure_future(ask(middleware, GOOD))
            await service.has_begun(turn)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert service.cancelled == turn
        service.go.set()
        assert (await ask(middleware, GOOD)).context[0] == 0
        counts = engine.snapshot()["http_raw"]
        assert (counts["instances_started"], counts["instances"]) == (4, 1)

    run(main())


@both_loops
def test_the_deadline_goes_on_after_the_answer(load: Load, engine: GuestEngine, run: Run) -> None:
    async def main() -> None:
        service = Service()
        service.go.set()
        middleware = started(load("granted/http_loops_after", granting(service)))
        with pytest.raises(GuestTimeout):
            await ask(middleware, b"x")

    run(main())
    counts = engine.snapshot()["http_loops_after"]
    assert (counts["deadlines"], counts["instances"]) == (1, 0)


@both_loops
def test_answers_of_every_size(load: Load, run: Run) -> None:
    async def main() -> None:
        for size in (0, 1, 1024, 65536):
            service = Service(b"a" * size)
            service.go.set()
            middleware = started(load("granted/http_raw", granting(service)))
            context = (await ask(middleware, GOOD)).context
            assert struct.unpack_from("<I", context, 8) == (size,)

    run(main())


@both_loops
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((0xFFFFFFFF, 1, AREA), "an argument lies outside of memory"),
        ((128, 0xFFFFFFFF, AREA), "an argument lies outside of memory"),
        ((128, 19, 66), "the return area is misaligned or lies outside of memory"),
        ((128, 19, 0x1FFF8), "the return area is misaligned or lies outside of memory"),
    ],
)
def test_wrong_arguments_trap(
    load: Load, engine: GuestEngine, run: Run, arguments: tuple[int, ...], reason: str
) -> None:
    async def main() -> None:
        service = Service()
        service.go.set()
        middleware = started(load("granted/http_raw", granting(service)))
        with pytest.raises(GuestTrap) as caught:
            await ask(middleware, struct.pack("<III", *arguments))
        assert caught.value.reason == f"http-client.send: {reason}"

    run(main())
    assert engine.snapshot()["http_raw"]["instances"] == 0


@both_loops
def test_a_call_inside_of_a_call(load: Load, run: Run) -> None:
    """Nobody writes such a guest in good faith; nothing of the one call may get into the other."""

    async def main() -> None:
        service = Service()
        service.go.set()
        middleware = started(load("granted/http_inside_realloc", granting(service)))
        assert await ask(middleware, b"\0") is None
        assert service.begun == 3
        with pytest.raises(GuestTrap, match="unreachable"):
            await ask(middleware, b"\1")

    run(main())


@both_loops
def test_only_a_serving_guest_may_ask(load: Load, run: Run) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_at_start", granting(service)))
        assert await ask(middleware, b"x") is None
        assert service.begun == 0

    run(main())


def test_every_error_reaches_the_guest(load: Load) -> None:
    async def main() -> None:
        for error in range(6):

            async def refuse(request: bytes, label: str, error: int = error) -> tuple[int, bytes]:
                return error, b""

            middleware = started(load("granted/http_raw", granting(refuse)))
            context = (await ask(middleware, GOOD)).context
            assert (context[0], context[4]) == (1, error)

    asyncio.run(main())


@both_loops
def test_lines_of_a_suspended_call_know_their_request(load: Load, engine: GuestEngine, run: Run) -> None:
    """They had no request id when the log was drained before the call had ended: the label came
    with its end.
    """

    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_logs", granting(service)))
        call = asyncio.ensure_future(ask(middleware, b"x"))
        await service.has_begun()
        assert said(engine) == [("http_logs", "r", "info", "before")]
        service.go.set()
        await call
        assert said(engine) == [("http_logs", "r", "info", "after")]

    run(main())
