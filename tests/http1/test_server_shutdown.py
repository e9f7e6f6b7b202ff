"""A quiet end: who has connected is served, who is busy finishes, and grace ends."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from tests.http1.harness import (
    Worker,
    answer,
    eventually,
    http_app,
    read_to_end,
    response,
    run_worker,
    timed,
)
from tests.support.clocks import PATIENCE
from tests.support.loops import MINUTES

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class TestShutdown:
    @staticmethod
    def gated() -> tuple[Any, threading.Event, threading.Event]:
        entered, gate = threading.Event(), threading.Event()

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/slow":
                entered.set()
                await asyncio.to_thread(gate.wait, PATIENCE)
            elif scope["path"] == "/stuck":
                entered.set()
                await asyncio.Event().wait()
            for message in answer(b"done"):
                await send(message)

        return app, entered, gate

    def test_request_in_flight_ends_with_a_close(self) -> None:
        app, entered, gate = self.gated()
        stack = run_worker(app, timed(), grace=MINUTES, leaps=True)
        with stack as worker, worker.connect() as busy, worker.connect() as idle:
            idle.sendall(GET)
            assert response(idle)[0] == 200
            # Long enough for its next request not to be on the way.
            worker.leap(MINUTES)
            busy.sendall(GET.replace(b"GET /", b"GET /slow"))
            assert entered.wait(PATIENCE)
            worker.begin_stop()
            assert read_to_end(idle) == b""
            with pytest.raises(OSError, match=r"refused|reset"):
                worker.connect().close()
            gate.set()
            status, headers, body = response(busy)
            assert (status, headers["connection"], body) == (200, "close", b"done")
            assert read_to_end(busy) == b""
            worker.join()

    def test_request_on_its_way_is_answered(self) -> None:
        """A connection in full flow loses nothing: it gets a moment for the request that it may
        have sent already.
        """
        app, _, _ = self.gated()
        with run_worker(app, grace=MINUTES) as worker, worker.connect() as fresh, worker.connect() as used:
            used.sendall(GET)
            assert response(used)[0] == 200
            eventually(lambda: worker.connections.open == 2)
            worker.begin_stop()
            eventually(lambda: worker.connections.closing)
            for sock in (used, fresh):
                sock.sendall(GET)
                status, headers, _ = response(sock)
                assert (status, headers["connection"]) == (200, "close")
            worker.join()

    def test_established_connections_are_served(self) -> None:
        """Connections that waited to be accepted were reset when the listening socket was
        closed.
        """
        stalled, go_on = threading.Event(), threading.Event()

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/stall":
                stalled.set()
                go_on.wait(PATIENCE)
            for message in answer(b"done"):
                await send(message)

        with run_worker(app) as worker, ExitStack() as stack:
            first = stack.enter_context(worker.connect())
            first.sendall(GET.replace(b"GET /", b"GET /stall"))
            assert stalled.wait(PATIENCE)
            waiting = [stack.enter_context(worker.connect()) for _ in range(50)]
            for sock in waiting:
                sock.sendall(GET)
            worker.begin_stop()
            go_on.set()
            assert [response(sock)[2] for sock in [first, *waiting]] == [b"done"] * 51

    def test_grace_ends(self) -> None:
        app, entered, _ = self.gated()
        with run_worker(app, timed(), grace=MINUTES, leaps=True) as worker, worker.connect() as busy:
            busy.sendall(GET.replace(b"GET /", b"GET /stuck"))
            assert entered.wait(PATIENCE)
            worker.begin_stop()
            eventually(lambda: worker.connections.closing)
            worker.leap(MINUTES / 2)
            assert worker.connections.open == 1
            worker.leap(MINUTES)
            assert read_to_end(busy) == b""
            worker.join()

    def test_no_request_of_a_busy_client_is_lost(self) -> None:
        app, _, _ = self.gated()
        outcomes: list[str] = []

        def client(worker: Worker) -> None:
            with worker.connect() as sock:
                while True:
                    sock.sendall(GET)
                    status, headers, _ = response(sock)
                    outcomes.append(str(status))
                    if headers.get("connection") == "close":
                        return

        with run_worker(app, grace=MINUTES) as worker:
            threads = [threading.Thread(target=client, args=(worker,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            eventually(lambda: len(outcomes) > 200)
            worker.begin_stop()
            for thread in threads:
                thread.join(PATIENCE)
        assert set(outcomes) == {"200"}
        assert not any(thread.is_alive() for thread in threads)
