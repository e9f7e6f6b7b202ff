"""Active checks against servers of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from sentinel_host.config.upstreams import CheckConfig, EjectConfig, UpstreamConfig
from sentinel_host.errors import UpstreamError, UpstreamUnavailable
from sentinel_host.net import Names
from sentinel_host.upstream.checks import Checker
from tests.failover.support import Group, Server, garbage, group, ok, reset, silence, status
from tests.upstream.support import eventually

SOON: dict[str, Any] = {"interval": 0.02, "timeout": 1.0}
# None of many failures in a row, or of successes, comes of a busy machine.
SURE: dict[str, Any] = {"interval": 0.02, "timeout": 30}


@contextlib.asynccontextmanager
async def checked(count: int, check: CheckConfig, **more: Any) -> AsyncIterator[tuple[Group, Checker]]:
    async with group(count, check=check, **more) as web:
        names = Names()
        targets = more.get("targets", [server.url for server in web.servers])
        config = UpstreamConfig("web", targets, check=check, protocol=more.get("protocol"))
        checker = Checker(config, web.table, 1, names)
        checker.start()
        try:
            yield web, checker
        finally:
            await checker.close()
            names.close()


@pytest.mark.parametrize(
    "how",
    [status(503), status(302), status(404), reset, garbage, silence],
    ids=["503", "302", "404", "resets", "garbage", "silent"],
)
def test_an_endpoint_whose_check_fails_gets_nothing_until_it_is_well(run, how):
    async def main():
        async with checked(3, CheckConfig(path="/healthz", **SOON)) as (web, checker):
            await eventually(lambda: len(checker.states) == 3 and all(s.healthy for s in checker.states.values()))
            web.servers[0].answer = how
            await eventually(lambda: web.state(0).down)
            heads = len(web.servers[0].heads)
            assert await web.statuses(60) == {200: 60}
            assert {head.split(b" ")[1] for head in web.servers[0].heads[heads:]} <= {b"/healthz"}
            web.servers[0].answer = ok
            await eventually(lambda: not web.state(0).down)
            assert checker.states[web.servers[0].url].flaps == 2

    run(main)


def test_the_first_answer_decides(run):
    async def main():
        async with checked(2, CheckConfig(down=1000, up=1000, **SURE)) as (web, checker):
            web.servers[0].answer = status(500)
            await eventually(lambda: len(checker.states) == 2)
            await eventually(lambda: all(state.healthy is not None for state in checker.states.values()))
            assert web.state(0).down
            assert not web.state(1).down

    run(main)


def test_a_refused_connection_is_a_failure_of_either_kind(run):
    async def main():
        for kind in ("http", "tcp"):
            async with checked(2, CheckConfig(type=kind, **SOON)) as (web, _):
                await web.servers[0].stop()
                await eventually(lambda web=web: web.state(0).down)
                await web.servers[0].start()
                await eventually(lambda web=web: not web.state(0).down)

    run(main)


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_unix_sockets(run, tmp_path, kind):
    """They are endpoints as any other: requests go there, checks do, and failures."""

    async def main():
        servers = [Server(str(tmp_path / "a")), Server()]
        for server in servers:
            await server.start()
        targets = [server.url for server in servers]
        async with checked(0, CheckConfig(type=kind, path="/healthz", **SOON), targets=targets) as (web, _):
            web.servers += servers
            assert await web.statuses(20) == {200: 20}
            assert all(any(head.startswith(b"GET / ") for head in server.heads) for server in servers)
            await servers[0].stop()
            assert await web.statuses(20) == {200: 20}
            await eventually(lambda: web.state(0).down)
            await servers[0].start()
            await eventually(lambda: not web.state(0).down)

    run(main)


def test_checks_use_one_connection_and_say_who_they_are(run):
    async def main():
        async with checked(1, CheckConfig(path="/health?full=1", host="inner.test", **SOON)) as (web, _):
            await eventually(lambda: web.servers[0].requests >= 5)
            head = web.servers[0].heads[0].lower()
            assert head.startswith(b"get /health?full=1 http/1.1\r\n")
            assert b"host: inner.test\r\n" in head
            assert b"user-agent: sentinel-check\r\n" in head

    run(main)


# Only the first result, and one success while no endpoint serves, put an endpoint back.
ONE = CheckConfig(path="/healthz", down=1, up=1000, **SURE)
LONG = EjectConfig(time=300, max_time=300)


async def failing(reader, writer, head):
    """Well when it is checked, and for no request."""
    await (ok if b"/healthz" in head else reset)(reader, writer, head)


async def eject(web: Group, number: int) -> None:
    """Have an endpoint fail requests until it is ejected."""
    web.servers[number].answer = failing
    client = 0
    while not web.state(number).ejected_for:
        client += 1
        with contextlib.suppress(UpstreamError):
            await web.ask(client=f"192.0.2.{client}")


async def checks(server: Server, count: int) -> None:
    """Wait for the results of so many checks from now on."""
    begun = server.requests
    # The last of them may still be under way.
    await eventually(lambda: server.requests > begun + count)


async def _drain(web: Group, number: int) -> None:
    web.table.drain(web.key(number), True)


async def _take_down(web: Group, number: int) -> None:
    web.servers[number].answer = status(503)
    await eventually(lambda: web.state(number).down)


async def _eject_and_take_down(web: Group, number: int) -> None:
    await eject(web, number)
    await _take_down(web, number)


@pytest.mark.parametrize(
    "other", [eject, _drain, _take_down, _eject_and_take_down], ids=["ejected", "draining", "down", "ejected and down"]
)
@pytest.mark.parametrize("panic", [0, 50, 100])
def test_one_success_is_enough_while_no_other_serves(run, other, panic):
    async def main():
        async with checked(2, ONE, panic=panic, eject=LONG) as (web, checker):
            first, second = web.servers
            await eventually(lambda: sum(state.healthy is True for state in checker.states.values()) == 2)
            await _take_down(web, 0)
            await other(web, 1)
            first.answer = ok
            await eventually(lambda: not web.state(0).down)
            assert checker.states[first.url].flaps == 2
            assert await web.ask() == 200
            # Now that one serves, the other needs as many as ever.
            if web.state(1).down:
                second.answer = ok
                await checks(second, 5)
                assert web.state(1).down

    run(main)


def test_several_successes_are_needed_while_another_serves(run):
    async def main():
        async with checked(2, ONE) as (web, checker):
            await eventually(lambda: sum(state.healthy is True for state in checker.states.values()) == 2)
            await _take_down(web, 0)
            web.servers[0].answer = ok
            await checks(web.servers[0], 5)
            assert web.state(0).down

    run(main)


def test_one_of_several_that_recover_at_once_is_put_back_by_one_success(run):
    async def main():
        async with checked(3, ONE, panic=0) as (web, _):
            for number in range(3):
                await _take_down(web, number)
            with pytest.raises(UpstreamUnavailable):
                await web.ask()
            for server in web.servers:
                server.answer = ok
            for server in web.servers:
                await checks(server, 5)
            assert sum(web.state(number).down for number in range(3)) == 2
            assert await web.statuses(10) == {200: 10}

    run(main)


def test_the_success_that_puts_an_endpoint_back_ends_its_ejection(run):
    async def main():
        async with checked(2, ONE, eject=LONG) as (web, checker):
            await eventually(lambda: sum(state.healthy is True for state in checker.states.values()) == 2)
            await eject(web, 1)
            await _take_down(web, 0)
            await _take_down(web, 1)
            web.servers[1].answer = ok
            await eventually(lambda: not web.state(1).down)
            assert not web.state(1).ejected_for
            assert await web.statuses(10) == {200: 10}

    run(main)


class HealthService:
    """grpc.health.v1 over HTTP/2; ``state`` is what it says."""

    def __init__(self) -> None:
        self.state = 1
        self.services: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.DataReceived):
                        self.services.append(event.data[7:])
                        body = bytes([8, self.state])
                        connection.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
                        connection.send_data(1, b"\0\0\0\0" + bytes([len(body)]) + body)
                        connection.send_headers(1, [("grpc-status", "0")], end_stream=True)
                writer.write(connection.data_to_send())
        writer.close()


def test_grpc_servers_are_asked_for_their_service(run):
    async def main():
        service = HealthService()
        server = await asyncio.start_server(service, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with checked(0, CheckConfig(type="grpc", service="shop.Cart", **SOON), targets=[url]) as (web, checker):
            await eventually(lambda: url in checker.states and checker.states[url].healthy is True)
            assert service.services[0] == b"shop.Cart"
            service.state = 2
            key = web.upstream.endpoints[0].key
            await eventually(lambda: web.table.state(key).down)
            service.state = 1
            await eventually(lambda: not web.table.state(key).down)
        server.close()

    run(main)


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_the_first_that_is_restarted_is_used_within_one_check(run, kind):
    async def main():
        async with checked(2, CheckConfig(type=kind, down=1, up=1000, **SURE)) as (web, checker):
            await eventually(lambda: sum(state.healthy is True for state in checker.states.values()) == 2)
            for server in web.servers:
                await server.stop()
            await eventually(lambda: web.state(0).down and web.state(1).down)
            await web.servers[1].start()
            await eventually(lambda: not web.state(1).down)
            assert await web.statuses(10) == {200: 10}

    run(main)


def test_the_first_grpc_server_that_serves_again_is_used_within_one_check(run):
    async def main():
        services = [HealthService(), HealthService()]
        servers = [await asyncio.start_server(service, "127.0.0.1", 0) for service in services]
        urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
        check = CheckConfig(type="grpc", down=1, up=1000, **SURE)
        async with checked(0, check, targets=urls) as (web, checker):
            keys = [next(each.key for each in web.upstream.endpoints if each.name == url) for url in urls]
            await eventually(lambda: sum(state.healthy is True for state in checker.states.values()) == 2)
            for service in services:
                service.state = 2
            await eventually(lambda: all(web.table.state(key).down for key in keys))
            services[1].state = 1
            await eventually(lambda: not web.table.state(keys[1]).down)
            assert web.table.state(keys[0]).down
        for server in servers:
            server.close()

    run(main)
