"""Compiling elsewhere: whatever the file does to the compiler, the answer is a guest or a reason."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.compiler import Compiler
from sentinel_host.sandbox import GuestEngine, load_compiled
from tests.support.modules import costly
from tests.wat import index

GOOD = index.wasm("good/nil")


@asynccontextmanager
async def compiler(cpu_seconds: int = 60, wall_seconds: float = 120.0) -> AsyncIterator[Compiler]:
    made = Compiler(cpu_seconds, wall_seconds)
    try:
        yield made
    finally:
        made.close()


def children() -> set[int]:
    """The processes that this one has started and not waited for."""
    mine = str(os.getpid())
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[1] == mine and fields[0] != "Z":
                found.add(int(entry.name))
    return found


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
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


def test_each_compilation_has_a_child_of_its_own_and_the_next_is_ready() -> None:
    async def main() -> None:
        before = children()
        async with compiler() as made:
            made.keep_ready()
            await until(lambda: len(children() - before) == 1)
            first = children() - before
            await made.compile(GOOD, "nil.wasm")
            await until(lambda: len(children() - before) == 1 and not children() & first)
        await until(lambda: children() == before)

    asyncio.run(main())


def test_a_module_that_takes_too_long_is_stopped() -> None:
    """ABUSE.md 21: what a compiler takes is for the author of the file to choose, and for the kernel to bound."""

    async def main() -> None:
        async with compiler(cpu_seconds=1) as made:
            with pytest.raises(GuestLoadError, match=r"^slow\.wasm: compiling it failed: it took more than 1 s of"):
                await made.compile(costly(), "slow.wasm")
        async with compiler(wall_seconds=1.0) as made:
            with pytest.raises(GuestLoadError, match=r"^slow\.wasm: was not compiled within 1 s"):
                await made.compile(costly(), "slow.wasm")

    asyncio.run(main())


def test_a_child_that_is_killed_is_a_reason() -> None:
    async def main() -> None:
        before = children()
        async with compiler() as made:
            made.keep_ready()
            await until(lambda: len(children() - before) == 1)
            (pid,) = children() - before
            task = asyncio.create_task(made.compile(costly(), "slow.wasm"))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(GuestLoadError, match=r"^slow\.wasm: compiling it failed: .*SIGKILL"):
                await task
            assert (await made.compile(GOOD, "nil.wasm")).code

    asyncio.run(main())


def test_a_ready_child_that_died_is_replaced() -> None:
    async def main() -> None:
        before = children()
        async with compiler() as made:
            made.keep_ready()
            await until(lambda: len(children() - before) == 1)
            (pid,) = children() - before
            os.kill(pid, signal.SIGKILL)
            await until(lambda: pid not in children())
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
