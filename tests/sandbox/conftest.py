"""Guests that take their time, on an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sentinel_host.sandbox import Grants, GuestEngine, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.grants import ALL
from tests.wat import index

Load = Callable[..., LoadedGuest]


@pytest.fixture
def engine() -> Iterator[GuestEngine]:
    """An engine of its own: its counts begin at zero, and afterwards no instance is left."""
    made = GuestEngine()
    yield made
    assert len(made.queue) == 0


@pytest.fixture
def load(engine: GuestEngine) -> Load:
    """Loads a guest of tests/wat, for example ``load("hostile/loop")``; its name is ``loop``. Options are limits."""

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
