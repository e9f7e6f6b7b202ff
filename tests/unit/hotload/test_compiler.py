"""Compiling elsewhere: whatever the file does to the compiler, the answer is a guest or a
reason.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.compiler import Compiler
from sentinel_host.sandbox import GuestEngine, load_compiled
from tests.supervisor import support
from tests.support.clocks import PATIENCE
from tests.support.modules import costly
from tests.wat import index

GOOD = index.wasm("good/nil")


@asynccontextmanager
async def compiler(cpu_seconds: int = 60, wall_seconds: float = 10 * PATIENCE) -> AsyncIterator[Compiler]:
    made = Compiler(cpu_seconds, wall_seconds)
    try:
        yield made
    finally:
        made.close()


def children(of: int | None = None) -> set[int]:
    """The processes that one has started, and not waited for; by default this one."""
    return set(support.children(os.getpid() if of is None else of))


async def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_a_guest_comes_back_as_code() -> None:
    async def main() -> None:
        async with compiler() as made:
            compiled = await made.compile(GOOD, "nil.wasm")
            assert (compiled.size, compiled.is_component) == (len(GOOD), False)
            guest = load_compiled(compiled, "nil", "nil.wasm", GuestEngine())
            assert guest.hooks == ("on-request",)
            assert guest.sha256 == compiled.sha256

    asyncio.run(main())


def test_a_broken_file_is_refused_with_its_name() -> None:
    async def main() -> None:
        async with compiler() as made:
            for data in (b"", b"\0asm", GOOD[:-1], GOOD[:8] + b"\xff" * 100, b"not at all"):
                with pytest.raises(GuestLoadError, match=r"^broken\.wasm: "):
                    await made.compile(data, "broken.wasm")
            # And the next is as good as ever.
            assert (await made.compile(GOOD, "nil.wasm")).code

    asyncio.run(main())


def test_each_compilation_has_a_process_of_its_own() -> None:
    async def main() -> None:
        before = children()
        async with compiler() as made:
            made.keep_ready()
            (fork_server,) = children() - before
            tasks = [asyncio.create_task(made.compile(costly(), "slow.wasm")) for _ in range(2)]
            await until(lambda: len(children(fork_server)) == 2)
            # A third waits for its turn, and for nothing else.
            quick = asyncio.create_task(made.compile(GOOD, "nil.wasm"))
            for pid in children(fork_server):
                os.kill(pid, signal.SIGKILL)
            assert (await quick).code
            for task in tasks:
                with pytest.raises(GuestLoadError, match="SIGKILL"):
                    await task
            await until(lambda: not children(fork_server))
            # What they were forked from is there for the next.
            assert children() - before == {fork_server}
            made.rest()
            await until(lambda: children() == before)
            assert (await made.compile(GOOD, "nil.wasm")).code
        await until(lambda: children() == before)

    asyncio.run(main())


def test_a_module_that_takes_too_long_is_stopped() -> None:
    """What a compiler takes is for the author of the file to choose, and for the kernel to
    bound.
    """

    async def main() -> None:
        async with compiler(cpu_seconds=1) as made:
            with pytest.raises(GuestLoadError, match=r"^slow\.wasm: compiling it failed: it took more than 1 s of"):
                await made.compile(costly(), "slow.wasm")
        async with compiler(wall_seconds=1.0) as made:
            with pytest.raises(GuestLoadError, match=r"^slow\.wasm: was not compiled within 1 s"):
                await made.compile(costly(), "slow.wasm")

    asyncio.run(main())


def test_a_fork_server_that_is_killed_is_a_reason_and_is_replaced() -> None:
    async def main() -> None:
        before = children()
        async with compiler() as made:
            made.keep_ready()
            (fork_server,) = children() - before
            task = asyncio.create_task(made.compile(costly(), "slow.wasm"))
            await until(lambda: bool(children(fork_server)))
            orphans = children(fork_server)
            os.kill(fork_server, signal.SIGKILL)
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(GuestLoadError, match=r"^slow\.wasm: compiling it failed: the process .* was ended"):
                await task
            assert (await made.compile(GOOD, "nil.wasm")).code

    asyncio.run(main())


def test_the_loop_goes_on_while_a_child_compiles() -> None:
    async def main() -> None:
        async with compiler(cpu_seconds=1) as made:
            task = asyncio.create_task(made.compile(costly(), "slow.wasm"))
            turns = 0
            while not task.done():
                await asyncio.sleep(0.001)
                turns += 1
            assert turns > 100
            assert isinstance(task.exception(), GuestLoadError)

    asyncio.run(main())


def test_closing_ends_what_is_under_way() -> None:
    async def main() -> None:
        before = children()
        made = Compiler(60)
        task = asyncio.create_task(made.compile(costly(), "slow.wasm"))
        await until(lambda: len(children() - before) == 1)
        made.close()
        with pytest.raises(GuestLoadError, match=r"^slow\.wasm: "):
            await task
        with pytest.raises(GuestLoadError, match=r"^nil\.wasm: .*the gateway ends"):
            await made.compile(GOOD, "nil.wasm")
        await until(lambda: children() == before)

    asyncio.run(main())
