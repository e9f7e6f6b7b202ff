"""Guests that take their time, on an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sentinel_host.sandbox import Grants, GuestEngine, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.grants import ALL
from sentinel_host.sandbox.runqueue import RunQueue
from tests.wat import index

Load = Callable[..., LoadedGuest]


class Ran:
    """How long the thread of the event loop has run, in seconds: not at all, if a test does not
    say so.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def ran() -> Ran:
    """What the thread of the engine's suspended calls has run: none of them falls behind on a busy
    machine.
    """
    return Ran()


@pytest.fixture
def engine(ran: Ran) -> Iterator[GuestEngine]:
    """An engine of its own: its counts begin at zero, and afterwards no instance is left."""
    made = GuestEngine(queue=RunQueue(ran=ran))
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
