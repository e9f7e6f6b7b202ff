"""Guests that take their time, on an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

import pytest

from sentinel_host.sandbox import Grants, GuestEngine, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.grants import ALL
from sentinel_host.sandbox.runqueue import RunQueue
from tests.wat import index

Load = Callable[..., LoadedGuest]


class Passing:
    """The clock of suspended calls: it runs at ``rate``, and a test may add to what has
    ``passed``.
    """

    def __init__(self) -> None:
        self.passed = 0.0
        self.rate = 1.0

    def __call__(self) -> float:
        return perf_counter() * self.rate + self.passed


@pytest.fixture
def time() -> Passing:
    """The clock of the engine's suspended calls, whose thread runs all the time by it."""
    return Passing()


@pytest.fixture
def engine(time: Passing) -> Iterator[GuestEngine]:
    """An engine of its own: its counts begin at zero, and afterwards no instance is left."""
    made = GuestEngine(queue=RunQueue(time, time))
    yield made
    assert len(made.queue) == 0


@pytest.fixture
def load(engine: GuestEngine) -> Load:
    """Loads a guest of tests/wat, for example ``load("hostile/loop")``; its name is ``loop``.
    Options are limits.
    """

    def loader(name: str, grants: Grants = ALL, **limits: object) -> LoadedGuest:
        artefact = parse_artefact(index.wasm(name), f"{name}.wasm")
        return load_artefact(
            artefact,
            name.partition("/")[2],
            engine,
            Limits(**limits),  # type: ignore[arg-type]
            grants,
        )

    return loader
