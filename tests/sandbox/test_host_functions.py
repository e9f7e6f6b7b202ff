"""What guests may call beyond the log: granted by name, and bounded."""

from __future__ import annotations

import asyncio
import os
import struct
import time

import pytest

from sentinel_host.errors import GuestLoadError, GuestTimeout, GuestTrap
from sentinel_host.kv import SharedStore
from sentinel_host.native.log import lines_of
from sentinel_host.sandbox import Grants, GuestEngine, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.grants import ALL
from tests.support.clocks import PATIENCE
from tests.support.instances import started
from tests.wat import index

from .conftest import Load
from .support import Run, ask, both_loops


def test_an_import_without_its_grant_is_refused(load: Load) -> None:
    """The error names the import and the grant."""
    for grants in (Grants(), Grants(frozenset({"random"}))):
        with pytest.raises(GuestLoadError) as caught:
            load("granted/clock", grants)
        assert str(caught.value) == (
            'granted/clock.wasm: imports sentinel:gateway/clock@0.1.0 wall, which needs the grant "clock"'
        )
    assert load("granted/clock", Grants(frozenset({"clock"}))).imports == (
        "sentinel:gateway/clock@0.1.0#monotonic",
        "sentinel:gateway/clock@0.1.0#wall",
    )


@both_loops
def test_clocks(load: Load, run: Run) -> None:
    middleware = started(load("granted/clock"))

    async def main() -> None:
        before = time.time_ns(), time.monotonic_ns()
        wall, monotonic = struct.unpack("<qq", (await ask(middleware, b"x")).context)
        assert before[0] <= wall <= time.time_ns()
        assert before[1] <= monotonic <= time.monotonic_ns()

    run(main())


@both_loops
def test_random_bytes(load: Load, run: Run) -> None:
    middleware = started(load("granted/random"))

    async def main() -> None:
        seen = {(await ask(middleware, struct.pack("<II", size, 64))).context for size in (8, 9, 65536)}
        assert len(seen) == 3
        assert len({piece for context in seen for piece in (context[:8], context[8:])}) == 6

    run(main())


@both_loops
@pytest.mark.parametrize(
    ("length", "area", "reason"),
    [
        (65537, 64, "more than 65536 bytes"),
        (0xFFFFFFFF, 64, "more than 65536 bytes"),
        (8, 0x20000, "the return area is misaligned or lies outside of memory"),
        (8, 0xFFFFFFFC, "the return area is misaligned or lies outside of memory"),
        (8, 66, "the return area is misaligned or lies outside of memory"),
    ],
)
def test_wrong_arguments_trap(load: Load, run: Run, length: int, area: int, reason: str) -> None:
    middleware = started(load("granted/random"))

    async def main() -> None:
        with pytest.raises(GuestTrap) as caught:
            await ask(middleware, struct.pack("<II", length, area))
        assert caught.value.reason == f"random.bytes: {reason}"
        assert caught.value.backtrace[0].startswith("random!")

    run(main())


@both_loops
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (0xFFFFFFFF, "random.bytes: cabi_realloc returned memory out of bounds"),
        (65536, "random.bytes: cabi_realloc returned memory out of bounds"),
        (0, "wasm `unreachable` instruction executed"),
    ],
)
def test_what_realloc_answers_is_not_trusted(load: Load, run: Run, answer: int, reason: str) -> None:
    middleware = started(load("granted/realloc_hostile_inside"))

    async def main() -> None:
        with pytest.raises(GuestTrap) as caught:
            await ask(middleware, struct.pack("<I", answer))
        assert caught.value.reason == reason

    run(main())


@both_loops
def test_a_loop_inside_of_a_host_function_is_ended(load: Load, engine: GuestEngine, run: Run) -> None:
    """Also where the host has called the guest back."""
    middleware = started(load("granted/realloc_loops_inside"))

    async def main() -> None:
        with pytest.raises(GuestTimeout):
            await ask(middleware, b"x")

    run(main())
    assert engine.snapshot()["realloc_loops_inside"]["deadlines"] == 1
    assert engine.snapshot()["realloc_loops_inside"]["instances"] == 0


def test_start_functions_may_call_too(load: Load) -> None:
    assert asyncio.run(ask(started(load("granted/start_clock")), b"x")) is None


@both_loops
def test_a_flood_of_metrics_is_bounded_and_counted(load: Load, engine: GuestEngine, run: Run) -> None:
    """What was counted first goes on; nothing is evicted by names that a client may choose."""
    middleware = started(load("granted/metrics_flood", deadline=PATIENCE))

    async def main() -> None:
        for _ in range(2):
            assert await ask(middleware, b"x") is None

    run(main())
    series = engine.metrics()["metrics_flood"]
    assert len(series) == 256
    assert {entry.values for entry in series} == {(2.0,)}
    counts = engine.snapshot()["metrics_flood"]
    assert (counts["metrics_full"], counts["metrics_invalid"]) == (2 * (20_000 - 256), 0)


def test_the_order_of_labels_tells_no_series_apart(load: Load, engine: GuestEngine) -> None:
    """/metrics once had two series that nobody can tell apart, for which a scraper drops the whole
    answer.
    """
    middleware = started(load("granted/metrics_raw"))

    async def main() -> None:
        for labels in (128, 176, 208):
            assert await ask(middleware, struct.pack("<4I", 64, 4, labels, 2)) is None

    asyncio.run(main())
    (series,) = engine.metrics()["metrics_raw"]
    assert (series.labels, series.values) == (("a", "good", "b", "od"), (2.0,))
    assert engine.snapshot()["metrics_raw"]["metrics_invalid"] == 1


@both_loops
@pytest.mark.parametrize(
    ("arguments", "traps"),
    [
        ((64, 4, 80, 1), False),
        ((64, 4, 0xFFFFFFFF, 0), True),
        ((64, 4, 80, 0xFFFFFFFF), False),
        ((0xFFFFFFFF, 4, 80, 1), True),
        ((64, 0xFFFFFFFF, 80, 1), True),
        ((64, 4, 65536 - 15, 1), True),
        ((64, 4, 96, 1), True),
        ((64, 4, 112, 1), True),
    ],
)
def test_metrics_from_outside_of_memory_trap(
    load: Load, run: Run, arguments: tuple[int, int, int, int], traps: bool
) -> None:
    middleware = started(load("granted/metrics_raw"))

    async def main() -> None:
        if not traps:
            assert await ask(middleware, struct.pack("<4I", *arguments)) is None
            return
        with pytest.raises(GuestTrap) as caught:
            await ask(middleware, struct.pack("<4I", *arguments))
        assert caught.value.reason == "metrics.add: an argument lies outside of memory"

    run(main())


OUTSIDE = 0xFFFFFFFF


@both_loops
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((64, 4, 1, 64, 4, 0, 0, 80, 2), None),
        ((64, 4, 1, 64, 4, 0, 0, OUTSIDE, OUTSIDE), None),
        ((OUTSIDE, 4, 1, 64, 4, 0, 0, 80, 2), "an argument lies outside of memory"),
        ((64, OUTSIDE, 1, 64, 4, 0, 0, 80, 2), "an argument lies outside of memory"),
        ((64, 4, 1, 65533, 4, 0, 0, 80, 2), "an argument lies outside of memory"),
        ((64, 4, 1, 64, 4, OUTSIDE, 1, 80, 2), "an argument lies outside of memory"),
        ((64, 4, 1, 64, 4, 0, 0, 65521, 2), "an argument lies outside of memory"),
        ((64, 4, 2, 64, 4, 0, 0, 80, 2), "unknown kind"),
    ],
)
def test_descriptions_from_outside_of_memory_trap(
    load: Load, engine: GuestEngine, run: Run, arguments: tuple[int, ...], reason: str | None
) -> None:
    middleware = started(load("granted/describe_raw"))

    async def main() -> None:
        if reason is None:
            assert await ask(middleware, struct.pack("<9I", *arguments)) is None
            return
        with pytest.raises(GuestTrap) as caught:
            await ask(middleware, struct.pack("<9I", *arguments))
        assert caught.value.reason == f"metrics.describe: {reason}"

    run(main())
    described = [(each.name, each.bounds) for each in engine.descriptions()["describe_raw"]]
    assert described == ([("good", (1, 2))] if reason is None and arguments[-1] == 2 else [])


def test_the_newest_plan_of_a_guest_describes(load: Load, engine: GuestEngine) -> None:
    """An old version goes on starting instances until the new one has taken over."""
    older, newer = started(load("granted/describe_raw")), started(load("granted/describe_raw"))
    histogram, counter = (64, 4, 1, 64, 4, 0, 0, 80, 2), (64, 4, 0, 64, 4, 0, 0, 80, 0)

    async def main() -> None:
        for middleware, arguments in ((older, histogram), (newer, counter), (older, histogram)):
            assert await ask(middleware, struct.pack("<9I", *arguments)) is None

    asyncio.run(main())
    assert [each[:2] for each in engine.descriptions()["describe_raw"]] == [("good", False)]
    assert engine.log.buffer.drain()[0] == b""


def test_a_guest_of_many_instances_is_told_once_what_was_refused(load: Load, engine: GuestEngine) -> None:
    middleware = started(load("granted/describe_raw"))

    async def main() -> None:
        for _ in range(3):
            assert await ask(middleware, struct.pack("<9I", 64, 4, 0, 64, 4, 0, 0, 80, 2)) is None

    asyncio.run(main())
    (line,) = lines_of(engine.log.buffer.drain()[0])
    assert (line.guest, line.message) == (b"describe_raw", b"metrics.describe: good: only a histogram has bounds")


GET, SET, DELETE, ADD = range(4)
KEY = (128, 10)
AREA = 64


@both_loops
@pytest.mark.parametrize(
    "arguments",
    [
        (GET, 0xFFFFFFFF, 1, 0, 0, AREA),
        (GET, 128, 0xFFFFFFFF, 0, 0, AREA),
        (SET, *KEY, 0x3FFFF, 2, AREA),
        (SET, *KEY, 128, 0xFFFFFFFF, AREA),
        (DELETE, 0x40000, 1, 0, 0, AREA),
        (ADD, 0x3FFFF, 2, 0, 0, AREA),
    ],
)
def test_keys_and_values_outside_of_memory_trap(load: Load, run: Run, arguments: tuple[int, ...]) -> None:
    middleware = started(load("granted/kv_raw"))

    async def main() -> None:
        with pytest.raises(GuestTrap, match="an argument lies outside of memory"):
            await ask(middleware, struct.pack("<6I", *arguments))

    run(main())


@both_loops
@pytest.mark.parametrize(
    ("which", "area"),
    [(GET, 66), (GET, 0x3FFF4), (SET, 0x3FFFF), (DELETE, 0xFFFFFFFF), (ADD, 68), (ADD, 0x3FFF8)],
)
def test_areas_of_the_store_are_checked(load: Load, run: Run, which: int, area: int) -> None:
    middleware = started(load("granted/kv_raw"))

    async def main() -> None:
        with pytest.raises(GuestTrap, match="the return area is misaligned or lies outside of memory"):
            await ask(middleware, struct.pack("<6I", which, *KEY, 128, 10, area))

    run(main())


@both_loops
def test_huge_keys_and_a_full_quota_are_errors_and_not_traps(load: Load, engine: GuestEngine, run: Run) -> None:
    middleware = started(load("granted/kv_raw", Grants(ALL.names, kv=256)))

    async def answer(*arguments: int) -> bytes:
        context: bytes = (await ask(middleware, struct.pack("<6I", *arguments, AREA))).context
        return context

    async def main() -> None:
        assert (await answer(SET, 128, 1025, 128, 1))[:2] == b"\1\1"
        assert (await answer(GET, 128, 0x20000, 0, 0))[:5:4] == b"\1\1"
        assert (await answer(SET, *KEY, 128, 88))[0] == 0
        assert (await answer(SET, 128, 9, 128, 89))[:2] == b"\1\0"
        assert (await answer(SET, 128, 9, 128, 88))[0] == 0
        assert (await answer(ADD, 128, 8, 0, 0))[:9:8] == b"\1\0"
        assert (await answer(ADD, *KEY, 0, 0))[:9:8] == b"\1\2"
        assert (await answer(DELETE, *KEY, 0, 0))[:2] == b"\0\1"
        assert (await answer(GET, *KEY, 0, 0))[:5:4] == b"\0\0"

    run(main())
    assert engine.snapshot()["kv_raw"]["kv_full"] == 2


@both_loops
def test_guests_share_keys_with_themselves_only(load: Load, engine: GuestEngine, run: Run) -> None:
    """All uses of a guest see the same keys, in every process that has the store; no other guest
    does.
    """
    started(load("granted/kv_raw"))
    assert engine.kv is not None
    elsewhere = GuestEngine(SharedStore.attach(os.dup(engine.kv.fd)))
    artefact = parse_artefact(index.wasm("granted/kv_raw"), "kv_raw.wasm")
    sums = []

    async def main() -> None:
        for where, name in ((engine, "kv_raw"), (elsewhere, "kv_raw"), (engine, "kv_raw"), (elsewhere, "other")):
            middleware = started(load_artefact(artefact, name, where, grants=ALL))
            answer = await ask(middleware, struct.pack("<6I", ADD, *KEY, 0, 0, AREA))
            sums.append(struct.unpack_from("<q", answer.context, 8)[0])

    run(main())
    assert sums == [5, 10, 15, 5]
