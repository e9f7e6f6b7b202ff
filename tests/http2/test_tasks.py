"""The tasks that serve the streams of a connection: used again, and none finds a trace of another's
request.
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
from hyperframe.frame import RstStreamFrame

from sentinel_host.errors import ClientError
from tests.http1.harness import answer, eventually, http_app, run_worker
from tests.http2.peer import Peer, request
from tests.support.clocks import PATIENCE

CANCEL = 8

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
    """Answers once it has as many requests as ``together``, notes its tasks, and then does something
    to each.
    """

    def __init__(self, trick: Callable[[], None] = lambda: None, together: int = 1) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.seen: list[int] = []
        self._trick = trick
        self._together = together
        self._waiting: list[asyncio.Event] = []

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        return http_app(self._run)(scope, receive, send)

    async def _run(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.tasks.append(current())
        self.seen.append(variable.get())
        self._waiting.append(asyncio.Event())
        if len(self._waiting) == self._together:
            for event in self._waiting:
                event.set()
            self._waiting.clear()
        else:
            await asyncio.wait_for(self._waiting[-1].wait(), PATIENCE)
        for message in answer(b"x"):
            await send(message)
        self._trick()


def ask(peer: Peer, first: int, count: int) -> None:
    """Send that many requests in one piece, and read their answers."""
    numbers = range(first, first + 2 * count, 2)
    peer.send(*[peer.headers(number, request(), end=True) for number in numbers])
    assert [peer.answer(number).body for number in numbers] == [b"x"] * count


def test_requests_one_after_the_other_share_a_task() -> None:
    app = Recording()
    with run_worker(app) as worker, Peer(worker.connect()) as one, Peer(worker.connect()) as other:
        for number in (1, 3, 5):
            ask(one, number, 1)
            ask(other, number, 1)
    assert len(set(app.tasks)) == 2
    assert len(set(app.tasks[::2])) == 1


def test_requests_at_the_same_time_have_tasks_of_their_own_that_are_used_again() -> None:
    app = Recording(together=4)
    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        for first in (1, 9, 17):
            ask(peer, first, 4)
    assert len(set(app.tasks[:4])) == 4
    assert set(app.tasks[4:]) == set(app.tasks[:4])


def test_only_some_tasks_of_a_burst_wait_for_more() -> None:
    app = Recording(together=50)
    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        ask(peer, 1, 50)
        eventually(lambda: sum(task.done() for task in app.tasks) == 50 - 16)
        ask(peer, 101, 50)
    assert len(set(app.tasks)) == 50 + 50 - 16


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
    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        for round_ in range(3):
            if at_once:
                ask(peer, 1 + 6 * round_, 3)
            else:
                ask(peer, 1 + 2 * round_, 1)
    assert set(app.seen) == {0}


def test_a_reset_cancels_the_request_that_its_task_serves_and_no_later_one() -> None:
    entered, cancelled = threading.Event(), threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            entered.set()
            try:
                await asyncio.sleep(PATIENCE)
            finally:
                cancelled.set()
        for message in answer(b"x"):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        ask(peer, 1, 1)
        # Of a stream that is over.
        peer.send(RstStreamFrame(1, error_code=CANCEL), peer.headers(3, request(path=b"/wait"), end=True))
        assert entered.wait(PATIENCE)
        assert not cancelled.is_set()
        peer.send(RstStreamFrame(3, error_code=CANCEL))
        assert cancelled.wait(PATIENCE)
        ask(peer, 5, 2)


def test_tasks_that_wait_end_with_their_connection() -> None:
    app = Recording(together=3)
    with run_worker(app) as worker:
        with Peer(worker.connect()) as peer:
            ask(peer, 1, 3)
            assert not any(task.done() for task in app.tasks)
        eventually(lambda: all(task.done() for task in app.tasks))
        assert not any(task.cancelled() or task.exception() for task in app.tasks)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("fails", [False, True])
def test_idle_connection_keeps_nothing_of_its_last_requests(fails: bool) -> None:
    things: list[weakref.ref[Thing]] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        thing = scope["thing"] = Thing()
        things.append(weakref.ref(thing))
        for message in answer(b"x"):
            await send(message)
        if fails:
            # Of one that is logged, pytest keeps the traceback.
            raise ClientError("after the response")

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        ask(peer, 1, 3)
        eventually(lambda: all(thing() is None for thing in things))
        assert worker.connections.open == 1


@pytest.mark.usefixtures("no_collector")
def test_client_that_leaves_takes_its_requests_along() -> None:
    things: list[weakref.ref[Thing]] = []
    entered = threading.Semaphore(0)

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        thing = scope["thing"] = Thing()
        things.append(weakref.ref(thing))
        entered.release()
        await asyncio.sleep(PATIENCE)

    with run_worker(app) as worker:
        with Peer(worker.connect()) as peer:
            peer.send(*[peer.headers(number, request(), end=True) for number in (1, 3)])
            assert entered.acquire(timeout=PATIENCE)
            assert entered.acquire(timeout=PATIENCE)
        eventually(lambda: all(thing() is None for thing in things))
