"""What guests may call beyond the log: granted by name, and bounded."""

from __future__ import annotations

import struct
import time

import pytest

from sentinel_host.errors import GuestLoadError, GuestTimeout, GuestTrap
from sentinel_host.sandbox import Grants, GuestEngine

from .conftest import Load
from .support import Run, ask, both_loops


def test_an_import_without_its_grant_is_refused(load: Load) -> None:
    """ABUSE row 18: the error names the import and the grant."""
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
    middleware = load("granted/clock").middleware()

    async def main() -> None:
        before = time.time_ns(), time.monotonic_ns()
        wall, monotonic = struct.unpack("<qq", (await ask(middleware, b"x")).context)
        assert before[0] <= wall <= time.time_ns()
        assert before[1] <= monotonic <= time.monotonic_ns()

    run(main())


@both_loops
def test_random_bytes(load: Load, run: Run) -> None:
    middleware = load("granted/random").middleware()

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
    """ABUSE row 13."""
    middleware = load("granted/random").middleware()

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
    middleware = load("granted/realloc_hostile_inside").middleware()

    async def main() -> None:
        with pytest.raises(GuestTrap) as caught:
            await ask(middleware, struct.pack("<I", answer))
        assert caught.value.reason == reason

    run(main())


@both_loops
def test_a_loop_inside_of_a_host_function_is_ended(load: Load, engine: GuestEngine, run: Run) -> None:
    """ABUSE row 1: also where the host has called the guest back."""
    middleware = load("granted/realloc_loops_inside").middleware()

    async def main() -> None:
        with pytest.raises(GuestTimeout):
            await ask(middleware, b"x")

    run(main())
    assert engine.snapshot()["realloc_loops_inside"]["deadlines"] == 1
    assert engine.snapshot()["realloc_loops_inside"]["instances"] == 0


def test_start_functions_may_call_too(load: Load) -> None:
    assert load("granted/start_clock").middleware().on_request(b"x", "r") is None


@both_loops
def test_a_flood_of_metrics_is_bounded_and_counted(load: Load, engine: GuestEngine, run: Run) -> None:
    """What was counted first goes on; nothing is evicted by names that a client may choose."""
    middleware = load("granted/metrics_flood", deadline=1.0).middleware()

    async def main() -> None:
        for _ in range(2):
            assert await ask(middleware, b"x") is None

    run(main())
    series = engine.metrics()["metrics_flood"]
    assert len(series) == 256
    assert {entry.values for entry in series} == {(2.0,)}
    counts = engine.snapshot()["metrics_flood"]
    assert (counts["metrics_full"], counts["metrics_invalid"]) == (2 * (20_000 - 256), 0)


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
    middleware = load("granted/metrics_raw").middleware()

    async def main() -> None:
        if not traps:
            assert await ask(middleware, struct.pack("<4I", *arguments)) is None
            return
        with pytest.raises(GuestTrap) as caught:
            await ask(middleware, struct.pack("<4I", *arguments))
        assert caught.value.reason == "metrics.add: an argument lies outside of memory"

    run(main())
