"""Balancing, health, retries, breakers and times where endpoints speak HTTP/2: a stream is a
request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from sentinel_host.config.upstreams import BreakerConfig, CheckConfig, EjectConfig, RetryConfig
from sentinel_host.errors import Progress, UpstreamError, UpstreamOverloaded
from tests.failover.support import Group, call, group
from tests.failover.test_checks import SOON, checked
from tests.upstream.support import eventually

EAGER = RetryConfig(backoff=0.0)
REFUSED_STREAM, INTERNAL_ERROR, CANCEL = 7, 2, 8
Connection = h2.connection.H2Connection


class Exchange:
    """A request that has come on a stream."""

    def __init__(self, connection: Connection, stream: int, writer: asyncio.StreamWriter, path: bytes) -> None:
        self.connection = connection
        self.stream = stream
        self.writer = writer
        self.path = path


Answer = Callable[[Exchange], None]


class Http2Server:
    """One endpoint. ``answer`` is called for every request; ``paths`` are what was asked for, and
    ``cancelled`` the codes of streams that the client has reset.
    """

    def __init__(self) -> None:
        self.port = 0
        self.paths: list[bytes] = []
        self.cancelled: list[int] = []
        self.connections = 0
        self.most_streams = 100
        self.answer: Answer = status(200)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> int:
        return len(self.paths)

    async def start(self) -> None:
        """Accept connections, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As when a process is killed."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        connection = Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        settings = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.most_streams}
        connection.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        try:
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        path = dict(event.headers)[b":path"]
                        self.paths.append(path)
                        self.answer(Exchange(connection, event.stream_id, writer, path))
                    elif isinstance(event, h2.events.StreamReset):
                        self.cancelled.append(event.error_code)
                writer.write(connection.data_to_send())
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


def status(code: int) -> Answer:
    def answer(exchange: Exchange) -> None:
        exchange.connection.send_headers(exchange.stream, [(":status", str(code))], end_stream=True)

    return answer


def resets(code: int) -> Answer:
    return lambda exchange: exchange.connection.reset_stream(exchange.stream, code)


def goes_away(exchange: Exchange) -> None:
    """It has seen no request at all."""
    exchange.connection.close_connection(last_stream_id=0)


def drops(exchange: Exchange) -> None:
    exchange.writer.transport.abort()


def is_silent(exchange: Exchange) -> None:
    pass


@contextlib.asynccontextmanager
async def endpoints(count: int, **settings: Any) -> AsyncIterator[Group]:
    async with group(count, make=Http2Server, protocol="http/2", **settings) as web:
        yield web


FAILING = {"resets streams": resets(INTERNAL_ERROR), "drops the connection": drops, "503": status(503)}
UNSEEN = {"refuses streams": resets(REFUSED_STREAM), "goes away": goes_away}


@pytest.mark.parametrize("how", FAILING | UNSEEN)
def test_idempotent_requests_do_not_notice_and_the_endpoint_is_ejected(run, how):
    async def main():
        async with endpoints(3, retry=EAGER) as web:
            web.servers[0].answer = (FAILING | UNSEEN)[how]
            assert await web.statuses(60) == {200: 60}
            assert web.state(0).ejected_for > 0
            assert web.ejections() == 1
            # The two others share one connection each for all that they have served.
            assert [server.connections for server in web.servers[1:]] == [1, 1]

    run(main)


@pytest.mark.parametrize("how", UNSEEN)
@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
def test_what_nobody_has_seen_goes_elsewhere_whatever_its_method(run, how, method):
    async def main():
        async with endpoints(2, eject=False) as web:
            web.servers[0].answer = UNSEEN[how]
            assert await web.statuses(20, method=method) == {200: 20}
            assert web.servers[0].requests > 0
            assert web.servers[1].requests == 20

    run(main)


@pytest.mark.parametrize("how", ["resets streams", "drops the connection"])
def test_what_may_have_had_an_effect_is_not_sent_twice(run, how):
    async def main():
        async with endpoints(2, eject=False) as web:
            for server in web.servers:
                server.answer = FAILING[how]
            with pytest.raises(UpstreamError) as raised:
                await web.ask(b"POST")
            assert raised.value.progress == Progress.SENT
            assert sum(web.requests()) == 1

    run(main)


def test_one_that_stands_still_is_left_and_told_so(run):
    async def main():
        async with endpoints(2, eject=False, retry=EAGER) as web:
            web.servers[0].answer = is_silent
            for _ in range(10):
                assert await web.ask(per_try_timeout=1.0) == 200
                if web.servers[0].requests:
                    break
            await eventually(lambda: web.servers[0].cancelled == [CANCEL])
            # Its connection serves on.
            web.servers[0].answer = status(200)
            assert await web.statuses(10) == {200: 10}
            assert web.servers[0].connections == 1

    run(main)


def test_a_hedge_answers_for_one_that_stands_still(run):
    async def main():
        async with endpoints(2, eject=False) as web:
            web.servers[0].answer = is_silent
            while not web.servers[0].requests:
                assert await web.ask(hedge_after=0.02) == 200
            assert web.upstream.counts.hedges >= 1
            await eventually(lambda: web.servers[0].cancelled == [CANCEL])

    run(main)


def test_the_one_with_fewer_streams_under_way_is_asked(run):
    async def main():
        async with endpoints(2) as web:
            web.servers[0].answer = is_silent
            held = []
            while not web.servers[0].requests:
                before = sum(web.requests())
                held.append(asyncio.create_task(web.upstream.send(call())))
                await eventually(lambda before=before: sum(web.requests()) > before)
            assert await web.statuses(20) == {200: 20}
            assert web.servers[0].requests == 1
            for task in held:
                if not task.cancel():
                    task.result().abort()
            await asyncio.wait(held)

    run(main)


def test_the_breaker_counts_streams(run):
    async def main():
        async with endpoints(1, breaker=BreakerConfig(max_requests=4)) as web:
            web.servers[0].answer = is_silent
            held = [asyncio.create_task(web.upstream.send(call())) for _ in range(4)]
            await eventually(lambda: web.servers[0].requests == 4)
            with pytest.raises(UpstreamOverloaded, match="4 requests are under way"):
                await web.ask()
            for task in held:
                task.cancel()
            await asyncio.wait(held)
            web.servers[0].answer = status(200)
            assert await web.ask() == 200

    run(main)


def test_a_crowd_that_waits_for_streams_is_bounded(run):
    async def main():
        async with endpoints(1, connections=1, breaker=BreakerConfig(max_pending=3)) as web:
            web.servers[0].most_streams = 1
            assert await web.ask() == 200
            web.servers[0].answer = is_silent
            held = [asyncio.create_task(web.upstream.send(call())) for _ in range(4)]
            await eventually(lambda: web.upstream.endpoints[0].pool.waiting == 3)
            with pytest.raises(UpstreamOverloaded, match="3 requests wait for a connection"):
                await web.ask()
            for task in held:
                task.cancel()
            await asyncio.wait(held)

    run(main)


def test_one_that_is_killed_is_used_again_when_it_is_back(run):
    async def main():
        async with endpoints(2, eject=EjectConfig(time=0.1)) as web:
            assert await web.statuses(20) == {200: 20}
            await web.servers[0].stop()
            assert await web.statuses(20) == {200: 20}
            before = web.servers[0].requests
            await web.servers[0].start()
            while web.servers[0].requests == before:
                assert await web.ask() == 200

    run(main)


def test_checks_speak_it_too(run):
    async def main():
        check = CheckConfig(path="/healthz", **SOON)
        async with checked(2, check, make=Http2Server, protocol="http/2") as (web, checker):
            await eventually(lambda: sum(state.healthy is True for state in checker.states.values()) == 2)
            web.servers[0].answer = status(503)
            await eventually(lambda: web.state(0).down)
            count = len(web.servers[0].paths)
            assert await web.statuses(20) == {200: 20}
            assert set(web.servers[0].paths[count:]) <= {b"/healthz"}
            web.servers[0].answer = status(200)
            await eventually(lambda: not web.state(0).down)

    run(main)
