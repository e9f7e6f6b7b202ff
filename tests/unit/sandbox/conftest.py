"""Guests from tests/wat in one engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sentinel_host.sandbox import GuestEngine, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from tests.wat import index

Load = Callable[..., LoadedGuest]


@pytest.fixture(scope="session")
def shared_engine() -> GuestEngine:
    return GuestEngine()


@pytest.fixture
def engine(shared_engine: GuestEngine) -> GuestEngine:
    """The engine, with nothing in its log."""
    shared_engine.log.drain()
    return shared_engine


@pytest.fixture
def load(engine: GuestEngine) -> Load:
    """Loads a guest of tests/wat, for example ``load("good/echo")``; its name is ``echo``."""

    def loader(name: str, limits: Limits | None = None) -> LoadedGuest:
        artefact = parse_artefact(index.wasm(name), f"{name}.wasm")
        return load_artefact(artefact, name.partition("/")[2], engine, limits or Limits())

    return loader
