"""Calls and starts that fail leave nothing of their guest behind, and no work for the cyclic
collector.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator

import pytest

from sentinel_host.errors import GuestBusy, GuestError, GuestLoadError
from sentinel_host.sandbox import GuestEngine, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.grants import ALL
from tests.support.clocks import PATIENCE
from tests.support.descriptors import descriptors
from tests.support.instances import started
from tests.support.modules import IMAGE, with_image

from .support import Run, ask, both_loops, settled

LOOP = b"x"
TIMES = 5


@pytest.fixture
def resting() -> Iterator[None]:
    """The collector rests: what is gone went by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def load(engine: GuestEngine, name: str, number: int, **limits: object) -> LoadedGuest:
    """The guest of tests/wat as a module of its own for each number."""
    artefact = parse_artefact(with_image(name, number), f"{name}.wasm")
    return load_artefact(artefact, name.partition("/")[2], engine, Limits(**limits), ALL)  # type: ignore[arg-type]


async def call(guest: LoadedGuest, record: bytes = LOOP) -> None:
    """A call that fails."""
    middleware = started(guest)
    with pytest.raises(GuestError):
        await ask(middleware, record)
    middleware.close()


async def complete(guest: LoadedGuest) -> None:
    """A completion that fails."""
    middleware = started(guest)
    with pytest.raises(GuestError):
        await settled(middleware.on_complete(b"s", b"", b"r", "c"))
    middleware.close()


async def cancel(guest: LoadedGuest) -> None:
    """A call that is given up while it is suspended."""
    middleware = started(guest)
    waits = asyncio.ensure_future(ask(middleware, LOOP))
    await asyncio.sleep(0)
    assert not waits.done()
    waits.cancel()
    await asyncio.wait([waits])
    middleware.close()


async def give_up(guest: LoadedGuest) -> None:
    """A call that falls behind, as the loop has not let it run."""
    middleware = started(guest)
    waits = asyncio.ensure_future(ask(middleware, LOOP))
    await asyncio.sleep(0)
    (suspended,) = guest.blueprint.engine.queue.calls
    suspended.begun -= 100
    await asyncio.wait([waits])
    assert "beside the worker's other work" in str(waits.exception())
    middleware.close()


async def refuse(guest: LoadedGuest) -> None:
    """A call that waits for an instance in vain, while another one loops."""
    middleware = started(guest)
    loops = asyncio.ensure_future(ask(middleware, LOOP))
    await asyncio.sleep(0)
    with pytest.raises(GuestBusy):
        await ask(middleware, b"y")
    loops.cancel()
    await asyncio.wait([loops])
    middleware.close()


async def start(guest: LoadedGuest) -> None:
    """A guest that does not start, while the event loop goes on."""
    with pytest.raises(GuestLoadError):
        await guest.start_middleware()


@both_loops
@pytest.mark.parametrize(
    ("name", "fail"),
    [
        ("hostile/loop", call),
        ("hostile/realloc_loops", call),
        ("hostile/post_loops", call),
        ("hostile/unreachable", call),
        ("hostile/long_answer", call),
        ("hostile/complete_loops", complete),
        ("hostile/complete_traps", complete),
        ("hostile/loop", cancel),
        ("hostile/loop", give_up),
        ("hostile/loop", refuse),
        ("hostile/start_loops", start),
        ("hostile/initialize_loops", start),
        ("hostile/configure_loops", start),
        ("hostile/start_traps", start),
    ],
)
@pytest.mark.usefixtures("resting")
def test_a_failure_leaves_no_module(run: Run, name: str, fail: Callable[[LoadedGuest], Awaitable[None]]) -> None:
    """Calls beyond their deadline once kept their module until the cyclic collector came.

    The exception knew the frames, those the call, the call its future, and that the exception. 40
    files that looped in configure were 285 MB.
    """
    engine = GuestEngine()

    async def main() -> None:
        for number in range(TIMES):
            limits = {"deadline": PATIENCE if fail in (cancel, refuse) else 0.01, "start_deadline": 0.02}
            await fail(load(engine, name, number, instances=1, wait=0.01, **limits))
            # The event loop lets go of the task's last step.
            await asyncio.sleep(0)
            assert not descriptors(IMAGE) - before

    before = descriptors(IMAGE)
    run(main())
