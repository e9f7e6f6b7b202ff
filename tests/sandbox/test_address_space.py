"""Guests of a process whose address space is limited: many fit, and who does not is told what is in
the way.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.native.failure import without_addresses
from sentinel_host.sandbox import AddressSpace, GuestEngine, compile_guest, load_compiled
from tests.wat import index

MIB = 1 << 20
# What every program begins with: an engine in a process that may have so many bytes of addresses
# more than it has.
_BEGIN = """
import asyncio, resource, sys
from pathlib import Path
from sentinel_host.errors import GuestBusy, GuestError, GuestLoadError
from sentinel_host.sandbox import GuestEngine, Limits, address_space, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.grants import ALL
from tests.support.instances import started
from tests.wat import index

def limit(more):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, resource.RLIM_INFINITY))

def load(name, **limits):
    artefact = parse_artefact(index.wasm(name), f"{name}.wasm")
    return load_artefact(artefact, name.partition("/")[2], engine, Limits(**limits), ALL)

async def ask(middleware, record=b"x"):
    answer = middleware.on_request(record, b"r", "c")
    return await answer if asyncio.iscoroutine(answer) else answer
"""


def run(program: str) -> list[str]:
    """The lines that a program of its own process prints."""
    command = [sys.executable, "-c", _BEGIN + textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_many_instances_fit_into_a_limited_address_space() -> None:
    """Each instance once reserved 4 GiB, so that the first guest of a process with ``ulimit -v``
    was one too many.
    """
    program = """
        limit(1 << 30)
        engine = GuestEngine()
        kept = [started(load("good/echo")) for _ in range(32)]
        print(len(kept), engine.snapshot()["echo"]["instances"])
    """
    assert run(program) == ["32 32"]


def test_guests_do_the_same_there() -> None:
    """What lies outside traps, and a memory grows beyond what was reserved for it, and no further
    than its limit.
    """
    program = """
        limit(1 << 30)
        engine = GuestEngine()
        for name in ("hostile/load_outside", "hostile/recursion", "hostile/unreachable"):
            try:
                asyncio.run(ask(started(load(name))))
            except GuestError as error:
                print(error.reason)
        grown = started(load("hostile/memory_hog", memory=64 << 20, deadline=60))
        answer = asyncio.run(ask(grown))
        print(int.from_bytes(answer.context, "big"), engine.snapshot()["memory_hog"]["memory_bytes"] >> 20)
    """
    outside, recursion, unreachable, grown = run(program)
    assert "out of bounds" in outside
    assert "stack" in recursion
    assert "unreachable" in unreachable
    assert grown == "1024 64"


def test_a_guest_that_finds_no_addresses_is_told_which_limit_it_met() -> None:
    """It once said "Cannot allocate memory (os error 12)" alone, counted against the guest."""
    program = """
        resource.setrlimit(resource.RLIMIT_AS, (1 << 40, resource.RLIM_INFINITY))
        engine = GuestEngine()
        guest = load("good/nil")
        first = started(guest)
        loop = started(load("hostile/loop", deadline=60))
        limit(8 << 20)
        try:
            started(guest)
        except GuestLoadError as error:
            print(error)

        async def main():
            waits = asyncio.ensure_future(ask(loop))
            await asyncio.sleep(0)
            try:
                await ask(loop, b"y")
            except GuestBusy as error:
                print(error.hook, error.reason)
            waits.cancel()
            await asyncio.wait([waits])

        asyncio.run(main())
        counts = engine.snapshot()["loop"]
        print(counts["refused_busy"], counts["traps"] + counts["deadlines"] + counts["protocol_errors"])
        asyncio.run(ask(first))
    """
    refused, busy, counts = run(program)
    what = "the gateway cannot reserve 16 MiB of addresses: its address space is limited to "
    assert refused.startswith(f"good/nil.wasm: start: {what}")
    assert refused.endswith(" KiB (ulimit -v)")
    assert busy.startswith(f"on-request {what}")
    assert counts == "1 0"


def test_code_for_one_address_space_does_not_run_in_another() -> None:
    """It would not check what this one does not guard."""
    compiled = compile_guest(index.wasm("good/echo"), "echo.wasm", AddressSpace.NARROW)
    with pytest.raises(GuestLoadError, match=r"^echo\.wasm: was compiled for another engine: "):
        load_compiled(compiled, "echo", "echo.wasm", GuestEngine())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "mmap failed to reserve 0x1020000 bytes\n\nCaused by:\n    Cannot allocate memory (os error 12)\n",
            "16 MiB of ",
        ),
        ("Cannot allocate memory (os error 12)", "cannot reserve memory: "),
        ("wasm trap: unreachable", None),
        ("memory minimum size of 12 pages exceeds memory limits (os error 13)", None),
    ],
)
def test_messages_of_the_engine(text: str, said: str | None) -> None:
    told = without_addresses(text)
    assert told is None if said is None else said in (told or "")
