"""Endpoints from names: every address, both families, services, and a name service that fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from sentinel_host.config.upstreams import TargetConfig, UpstreamConfig
from sentinel_host.errors import UpstreamError
from sentinel_host.net import Names, Remembered
from sentinel_host.upstream.discovery import Discovery
from sentinel_host.upstream.table import EndpointTable
from sentinel_host.upstream.targets import weighted_target
from sentinel_host.upstream.upstream import Surroundings, Upstream
from tests.failover.support import Server, call
from tests.support.nameservers import NXDOMAIN, SERVFAIL, SILENCE, NameServer, name_server
from tests.upstream.support import eventually


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


async def changed_to(discovery: Discovery, *shown: str) -> None:
    await eventually(lambda: sorted(map(str, discovery.locations)) == sorted(shown))


def discovery(server: NameServer, *targets: str, names: list[Names]) -> Discovery:
    names.append(Names([server.address]))
    return Discovery([weighted_target(target, 1) for target in targets], names[0], lambda: None)


def test_every_address_of_a_name_is_an_endpoint(run, server):
    server.known["web.test"] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]

    async def main():
        names: list[Names] = []
        found = discovery(server, "http://web.test:8080", "http://192.0.2.9", names=names)
        assert [str(each) for each in found.locations] == ["http://192.0.2.9"]
        found.start()
        await found.first()
        web = [each for each in found.locations if each.target.host == "web.test"]
        # One of each family is taken for one machine.
        assert [each.addresses for each in web] == [("2001:db8::1", "192.0.2.1"), ("192.0.2.2",)]
        assert [str(each) for each in web] == [
            "http://web.test:8080 ([2001:db8::1])",
            "http://web.test:8080 (192.0.2.2)",
        ]
        await found.close()
        names[0].close()

    run(main)


def test_addresses_come_and_go_without_anybody_asking(run, server):
    server.known["web.test"] = ["192.0.2.1"]

    async def main():
        names: list[Names] = []
        found = discovery(server, "http://web.test", names=names)
        found.start()
        await changed_to(found, "http://web.test (192.0.2.1)")
        server.known["web.test"] = ["192.0.2.2", "192.0.2.1"]
        await changed_to(found, "http://web.test (192.0.2.1)", "http://web.test (192.0.2.2)")
        server.known["web.test"] = ["192.0.2.2"]
        await changed_to(found, "http://web.test (192.0.2.2)")
        await found.close()
        names[0].close()

    run(main)


@pytest.mark.parametrize("failure", [SERVFAIL, SILENCE, NXDOMAIN])
def test_the_last_good_answer_is_kept_while_the_name_service_fails(run, server, failure):
    server.known["web.test"] = ["192.0.2.1"]

    async def main():
        names: list[Names] = []
        found = discovery(server, "http://web.test", names=names)
        found.start()
        await changed_to(found, "http://web.test (192.0.2.1)")
        server.known["web.test"] = failure
        asked = len(server.asked)
        await eventually(lambda: len(server.asked) >= asked + 2)
        assert [str(each) for each in found.locations] == ["http://web.test (192.0.2.1)"]
        await found.close()
        names[0].close()

    run(main)


def test_what_is_known_outlives_who_found_it(run, server):
    """What replaces a worker, or an upstream in a reload, begins with it, also while the name
    service fails.
    """
    server.known["web.test"] = ["192.0.2.1"]
    server.services["_http._tcp.web.test"] = [(10, 0, 8081, "web.test")]
    targets = ("http://web.test", "srv://_http._tcp.web.test")
    shown = {"http://web.test (192.0.2.1)", "http://web.test:8081 (192.0.2.1)"}

    async def find(names: Names) -> set[str]:
        found = Discovery([weighted_target(target, 1) for target in targets], names, lambda: None)
        found.start()
        await found.first()
        await found.close()
        names.close()
        return {str(each) for each in found.locations}

    async def main():
        learned = Remembered()
        assert await find(Names([server.address], learned=learned.update)) == shown
        server.known["web.test"] = SERVFAIL
        server.services.clear()
        server.known["_http._tcp.web.test"] = SERVFAIL
        assert await find(Names([server.address])) == set()
        assert await find(Names([server.address], remembered=learned)) == shown

    run(main)


def test_a_service_has_the_servers_that_its_records_prefer(run, server):
    server.services["_http._tcp.web.test"] = [(10, 3, 8081, "a.test"), (10, 0, 8082, "b.test"), (20, 1, 80, "c.test")]
    server.known |= {"a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"], "c.test": ["192.0.2.3"]}

    async def main():
        names: list[Names] = []
        found = discovery(server, "srv://_http._tcp.web.test", names=names)
        found.start()
        await found.first()
        assert {str(each): each.weight for each in found.locations} == {
            "http://a.test:8081 (192.0.2.1)": 3,
            "http://b.test:8082 (192.0.2.2)": 1,
        }
        await found.close()
        names[0].close()

    run(main)


class Fixture:
    """Servers, and upstreams in front of them that replace one another as a reload has them."""

    def __init__(self, server: NameServer, servers: list[Server]) -> None:
        self.names = Names([server.address])
        self.table = EndpointTable.create(cells=1, rows=16)
        self.servers = servers
        self.upstreams: list[Upstream] = []

    def place(self, *targets: str | TargetConfig) -> Upstream:
        before = self.upstreams[-1] if self.upstreams else None
        config = UpstreamConfig("web", list(targets), balance="round-robin")
        upstream = Upstream(config, Surroundings(self.table, 0, self.names), None, before)
        upstream.learn()
        self.upstreams.append(upstream)
        return upstream


@contextlib.asynccontextmanager
async def fixture(server: NameServer, count: int) -> AsyncIterator[Fixture]:
    made = Fixture(server, [Server() for _ in range(count)])
    try:
        for each in made.servers:
            await each.start()
        yield made
    finally:
        for upstream in made.upstreams:
            await upstream.close()
        for each in made.servers:
            await each.stop()
        made.names.close()
        os.close(made.table.fd)


async def ask(upstream: Upstream) -> bytes:
    return await (await upstream.send(call())).read()


def test_the_first_request_waits_for_the_first_answer_and_fails_with_it(run, server):
    async def main():
        async with fixture(server, 0) as web:
            upstream = web.place("http://nowhere.test")
            with pytest.raises(UpstreamError, match="its name could not be resolved") as raised:
                await upstream.send(call())
            assert raised.value.kind == "name"

    run(main)


def test_an_endpoint_keeps_its_connections_and_health_over_a_reload(run, server):
    async def main():
        async with fixture(server, 3) as web:
            first, second, third = web.servers
            old = web.place(first.url, second.url)
            for _ in range(4):
                await ask(old)
            kept = {endpoint.name: endpoint for endpoint in old.endpoints}
            web.table.drain(kept[first.url].key, True)
            new = web.place(first.url, TargetConfig(second.url, 5), third.url)
            await old.close()
            assert {name: endpoint for endpoint in new.endpoints if (name := endpoint.name) in kept} == kept
            for _ in range(12):
                await ask(new)
            assert [endpoint.pool.connects for endpoint in kept.values()] == [1, 1]
            # The first is still draining; the second has its new weight.
            assert [each.requests for each in web.servers] == [2, 12, 2]
            await new.close()
            assert all(endpoint.pool.open == 0 for endpoint in kept.values())

    run(main)


def test_an_endpoint_that_vanishes_finishes_what_it_has(run, server):
    go: asyncio.Event

    async def slow(reader, writer, head):
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with fixture(server, 2) as web:
            first, second = web.servers
            old = web.place(first.url, second.url)
            for _ in range(2):
                await ask(old)
            first.answer = second.answer = slow
            asked = [asyncio.create_task(ask(old)) for _ in range(2)]
            await eventually(lambda: first.requests + second.requests == 4)
            gone = next(endpoint for endpoint in old.endpoints if endpoint.name == first.url)
            new = web.place(second.url)
            # The old one ends with its last request, as a generation's does.
            go.set()
            assert await asyncio.gather(*asked) == [b"slow", b"slow"]
            await old.close()
            assert gone.pool.open == 0
            assert [endpoint.name for endpoint in new.endpoints] == [second.url]

    run(main)


def test_an_address_that_vanishes_drains(run, server):
    server.known["web.test"] = ["127.0.0.1", "127.0.0.2"]

    async def main():
        async with fixture(server, 1) as web:
            port = web.servers[0].port
            beside = Server("127.0.0.2")
            beside.port = port
            await beside.start()
            web.servers.append(beside)
            upstream = web.place(f"http://web.test:{port}")
            for _ in range(4):
                await ask(upstream)
            gone = next(endpoint for endpoint in upstream.endpoints if "127.0.0.2" in endpoint.name)
            assert (beside.requests, gone.pool.idle) == (2, 1)
            server.known["web.test"] = ["127.0.0.1"]
            await eventually(lambda: len(upstream.endpoints) == 1)
            assert gone.pool.open == 0
            await ask(upstream)
            assert beside.requests == 2

    run(main)
