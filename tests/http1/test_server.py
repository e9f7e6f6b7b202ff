"""the worker around its connections: limits on connections, lifespan, listeners, sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hypercorn.utils import LifespanFailureError

from sentinel_host.errors import ConfigError
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.server import Endpoint, address_of, bind, take_no_more
from sentinel_host.server.serve import run, serve
from tests.http1.harness import (
    answer,
    describe,
    eventually,
    read_until,
    response,
    run_worker,
    status_of,
)
from tests.support.clocks import PATIENCE
from tests.support.loops import leap, run_leaping

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class TestConnectionLimits:
    @pytest.mark.parametrize("limit", ["connections", "connections_per_client"])
    def test_one_too_many_is_told_so(self, limit: str) -> None:
        with run_worker(describe, ServerLimits(**{limit: 2}, linger=0.1)) as worker:
            first, second = worker.connect(), worker.connect()
            eventually(lambda: worker.connections.open == 2)
            reply = worker.talk(GET)
            assert status_of(reply) == 503
            assert worker.connections.limits_hit == {limit: 1}
            first.close()
            eventually(lambda: worker.connections.open == 1)
            second.sendall(GET)
            assert response(second)[0] == 200
            with worker.connect() as third:
                third.sendall(GET)
                assert response(third)[0] == 200
            second.close()

    def test_flood_beyond_the_limit_is_cut_off(self) -> None:
        with run_worker(describe, ServerLimits(connections=1, linger=5)) as worker:
            with worker.connect() as first:
                eventually(lambda: worker.connections.open == 1)
                crowd = [worker.connect() for _ in range(150)]
                eventually(lambda: worker.connections.accepted == 151)
                eventually(lambda: worker.connections.open <= 102)
                first.sendall(GET)
                assert response(first)[0] == 200
                for sock in crowd:
                    sock.close()
            eventually(lambda: worker.connections.open == 0 and worker.connections.refused == 0)


class TestLifespan:
    def test_state_and_order(self) -> None:
        events: list[str] = []

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                for event in ("startup", "shutdown"):
                    assert (await receive())["type"] == f"lifespan.{event}"
                    events.append(event)
                    scope["state"]["pool"] = "open"
                    await send({"type": f"lifespan.{event}.complete"})
                return
            events.append(scope["state"]["pool"])
            scope["state"]["pool"] = "mine alone"
            for message in answer(b""):
                await send(message)

        with run_worker(app) as worker:
            worker.talk(GET * 2, half_close=True)
        assert events == ["startup", "open", "open", "shutdown"]

    def test_a_start_may_take_any_time(self) -> None:
        """One of more than a minute, in which dozens of guests were compiled, ended in Hypercorn's
        LifespanTimeout.
        """

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await receive()
            await leap(3600)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

        asked: list[str] = []

        async def may_accept() -> bool:
            asked.append("started")
            return False

        async def main() -> None:
            await serve(
                app, [], Connections(ServerLimits()), shutdown=asyncio.Event().wait, grace=1, may_accept=may_accept
            )

        run_leaping(main())
        assert asked == ["started"]

    def test_a_start_that_is_to_be_stopped_is_cancelled(self) -> None:
        told: list[str] = []
        stop = asyncio.Event()

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            told.append((await receive())["type"])
            stop.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append("cancelled")
                raise

        async def never() -> bool:
            raise AssertionError("it has not started")

        async def main() -> None:
            await serve(app, [], Connections(ServerLimits()), shutdown=stop.wait, grace=1, may_accept=never)

        run(main())
        assert told == ["lifespan.startup", "cancelled"]

    def test_failed_startup_accepts_nothing(self) -> None:
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        with pytest.raises(LifespanFailureError, match="no database"), run_worker(app):
            pass


def test_listeners_are_told_apart() -> None:
    sockets = {name: bind("127.0.0.1:0") for name in ("public", "admin")}

    async def main() -> None:
        stop, ready = asyncio.Event(), asyncio.Event()
        endpoints = [Endpoint(name, sock) for name, sock in sockets.items()]
        serving = asyncio.create_task(
            serve(describe, endpoints, Connections(ServerLimits()), shutdown=stop.wait, grace=1, ready=ready.set)
        )
        await ready.wait()
        for name, sock in sockets.items():
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            writer.write(GET)
            assert (await reader.readuntil(b"1.1 http " + name.encode())).startswith(b"HTTP/1.1 200")
            writer.close()
            await writer.wait_closed()
        stop.set()
        await serving

    run(main())


def test_descriptors_running_out_do_not_end_the_loop(tmp_path: Path) -> None:
    """The accept loop survives EMFILE and serves again once descriptors are free."""
    script = tmp_path / "small.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, resource, signal
            from sentinel_host.http.server import Connections, ServerLimits
            from sentinel_host.server import Endpoint, address_of, bind
            from sentinel_host.server.serve import run, serve
            from tests.http1.harness import echo

            async def main():
                stop = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
                sock = bind("127.0.0.1:0")
                resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
                ready = lambda: print(address_of(sock), flush=True)
                endpoints = [Endpoint("public", sock)]
                await serve(echo, endpoints, Connections(ServerLimits()), shutdown=stop.wait, grace=1, ready=ready)

            run(main())
            """
        )
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().rpartition(":")
        kept = socket.create_connection((host, int(port)), timeout=PATIENCE)
        kept.sendall(GET)
        assert response(kept)[0] == 200
        crowd = [socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(60)]
        kept.sendall(GET)
        assert response(kept)[0] == 200
        for sock in crowd:
            sock.close()
        deadline = time.monotonic() + PATIENCE
        while True:
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock, contextlib.suppress(OSError):
                sock.sendall(GET)
                if sock.recv(12) == b"HTTP/1.1 200":
                    break
            assert time.monotonic() < deadline
        kept.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_socket_that_takes_no_more_keeps_established_connections() -> None:
    with bind("127.0.0.1:0") as listening, socket.socket() as late, socket.socket() as later:
        listening.listen()
        with socket.create_connection(listening.getsockname(), timeout=PATIENCE) as early:
            take_no_more(listening)
            late.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.connect(listening.getsockname())
            listening.settimeout(PATIENCE)
            accepted, _ = listening.accept()
            with accepted:
                early.sendall(b"still")
                assert accepted.recv(10) == b"still"
                address = listening.getsockname()
                listening.close()
                later.settimeout(PATIENCE)
                assert later.connect_ex(address) == errno.ECONNREFUSED
                accepted.sendall(b"there")
                assert early.recv(10) == b"there"


class TestBind:
    def test_actual_port(self) -> None:
        with bind("127.0.0.1:0") as sock:
            host, _, port = address_of(sock).rpartition(":")
            assert host == "127.0.0.1"
            assert int(port) > 0

    def test_ipv6(self) -> None:
        with bind("[::1]:0") as sock:
            assert address_of(sock).startswith("[::1]:")

    @pytest.mark.parametrize(
        "address", ["", "8080", "127.0.0.1", ":8080", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1"]
    )
    def test_malformed(self, address: str) -> None:
        with pytest.raises(ConfigError, match="expected host:port"):
            bind(address)

    def test_taken(self) -> None:
        with bind("127.0.0.1:0") as sock:
            sock.listen()
            with pytest.raises(ConfigError, match=address_of(sock)):
                bind(address_of(sock))

    def test_read_until_helper_stops_at_the_mark(self) -> None:
        with run_worker(describe) as worker, worker.connect() as sock:
            sock.sendall(GET)
            assert read_until(sock, b"\r\n") == b"HTTP/1.1 200 OK\r\n"
