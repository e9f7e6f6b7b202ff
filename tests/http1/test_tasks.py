"""The task that serves a connection: one for all its requests, of which none finds a trace of
another.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from tests.http1.harness import answer, eventually, http_app, read_until, response, run_worker
from tests.support.clocks import PATIENCE

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWERED = b"\r\n\r\nx"

variable: ContextVar[int] = ContextVar("variable", default=0)


class Thing:
    """What a request may hold, and a weak reference can watch."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


class Recording:
    """Answers, notes its task, and then does something to it."""

    def __init__(self, trick: Callable[[], None] = lambda: None) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.seen: list[int] = []
        self._trick = trick

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        return http_app(self._run)(scope, receive, send)

    async def _run(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.tasks.append(current())
        self.seen.append(variable.get())
        async with asyncio.timeout(PATIENCE):
            await asyncio.sleep(0)
        for message in answer(b"x"):
            await send(message)
        self._trick()


def test_requests_of_a_connection_share_a_task() -> None:
    app = Recording()
    with run_worker(app) as worker, worker.connect() as one, worker.connect() as other:
        for sock in (one, other, one, other):
            sock.sendall(GET)
            assert response(sock)[2] == b"x"
        one.sendall(GET * 3)
        for _ in range(3):
            read_until(one, ANSWERED)
    assert app.tasks[0] is app.tasks[2]
    assert set(app.tasks[4:]) == {app.tasks[0]}
    assert app.tasks[1] is app.tasks[3] is not app.tasks[0]


def raise_cancelled() -> None:
    raise asyncio.CancelledError


def cancel() -> None:
    current().cancel()


def cancel_and_take_back() -> None:
    """Before Python 3.13 the cancellation still comes, where the task waits next."""
    current().cancel()
    current().uncancel()


def set_variable() -> None:
    variable.set(variable.get() + 1)


@pytest.mark.parametrize("trick", [raise_cancelled, cancel, cancel_and_take_back, set_variable])
@pytest.mark.parametrize("at_once", [False, True])
def test_what_a_request_does_to_its_task_is_not_the_next_ones_affair(trick: Callable[[], None], at_once: bool) -> None:
    app = Recording(trick)
    with run_worker(app) as worker, worker.connect() as sock:
        if at_once:
            sock.sendall(GET * 3)
        for _ in range(3):
            if not at_once:
                sock.sendall(GET)
            read_until(sock, ANSWERED)
    assert app.seen == [0, 0, 0]


@pytest.mark.usefixtures("no_collector")
def test_idle_connection_keeps_nothing_of_its_last_request() -> None:
    things: list[weakref.ref[Thing]] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        thing = scope["thing"] = Thing()
        things.append(weakref.ref(thing))
        for message in answer(b"x"):
            await send(message)

    with run_worker(app) as worker, worker.connect() as sock:
        sock.sendall(GET)
        assert response(sock)[2] == b"x"
        eventually(lambda: things[0]() is None)
        assert worker.connections.open == 1


@pytest.mark.usefixtures("no_collector")
def test_client_that_leaves_takes_its_request_along() -> None:
    things: list[weakref.ref[Thing]] = []
    entered = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        thing = scope["thing"] = Thing()
        things.append(weakref.ref(thing))
        entered.set()
        await asyncio.sleep(PATIENCE)

    with run_worker(app) as worker:
        sock = worker.connect()
        sock.sendall(GET)
        assert entered.wait(PATIENCE)
        sock.close()
        # A client that only stops writing is still answered, for a time.
        with worker.connect():
            for protocol in list(worker.connections.active):
                worker._loop.call_soon_threadsafe(protocol.abort)
        eventually(lambda: things[0]() is None)


@pytest.mark.usefixtures("no_collector")
def test_connection_that_ends_ends_its_task() -> None:
    app = Recording()
    with run_worker(app) as worker:
        with worker.connect() as sock:
            sock.sendall(GET)
            assert response(sock)[2] == b"x"
            assert not app.tasks[0].done()
        eventually(lambda: app.tasks[0].done())
        assert not app.tasks[0].cancelled()
        reference = weakref.ref(app.tasks.pop())
        eventually(lambda: reference() is None)
