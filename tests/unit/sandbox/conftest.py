"""Guests from tests/wat in one engine, called as if they never needed time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sentinel_host.messages import RequestAction, ResponseAction
from sentinel_host.sandbox import GuestEngine, GuestMiddleware, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from tests.wat import index


class SyncMiddleware:
    """A middleware whose calls are waited for."""

    def __init__(self, middleware: GuestMiddleware, runner: asyncio.Runner) -> None:
        self.middleware = middleware
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.middleware, name)

    def on_request(self, record: bytes, request_id: str, client: str = "") -> RequestAction | None:
        action: RequestAction | None = self._settle(self.middleware.on_request(record, request_id.encode(), client))
        return action

    def on_response(self, record: bytes, context: bytes, request_id: str) -> ResponseAction | None:
        action: ResponseAction | None = self._settle(self.middleware.on_response(record, context, request_id.encode()))
        return action

    def on_complete(self, record: bytes, context: bytes, request_id: str) -> None:
        self._settle(self.middleware.on_complete(record, context, request_id.encode()))

    def _settle(self, answer: Any) -> Any:
        return self._runner.run(answer) if asyncio.iscoroutine(answer) else answer


class SyncGuest:
    """A loaded guest that makes such middleware."""

    def __init__(self, loaded: LoadedGuest, runner: asyncio.Runner) -> None:
        self.loaded = loaded
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loaded, name)

    def middleware(self, *arguments: Any, **options: Any) -> SyncMiddleware:
        return SyncMiddleware(self._runner.run(self.loaded.start_middleware(*arguments, **options)), self._runner)


Load = Callable[..., SyncGuest]


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="session")
def shared_engine() -> GuestEngine:
    return GuestEngine()


@pytest.fixture
def engine(shared_engine: GuestEngine) -> GuestEngine:
    """The engine, with nothing in its log."""
    shared_engine.log.drain()
    return shared_engine


@pytest.fixture
def load(engine: GuestEngine, runner: asyncio.Runner) -> Load:
    """Loads a guest of tests/wat, for example ``load("good/echo")``; its name is ``echo``."""

    def loader(name: str, limits: Limits | None = None) -> SyncGuest:
        artefact = parse_artefact(index.wasm(name), f"{name}.wasm")
        return SyncGuest(load_artefact(artefact, name.partition("/")[2], engine, limits or Limits()), runner)

    return loader
