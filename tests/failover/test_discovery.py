"""Endpoints from names: every address, both families, services, and a name service that fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from sentinel_host.config.upstreams import TargetConfig, UpstreamConfig
from sentinel_host.errors import UpstreamError
from sentinel_host.net import Names
from sentinel_host.upstream.discovery import Discovery
from sentinel_host.upstream.table import EndpointTable
from sentinel_host.upstream.upstream import Surroundings, Upstream, weighted_target
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


async def start_upstream(config: UpstreamConfig, names: Names, table: EndpointTable, before: Upstream | None = None):
    upstream = Upstream(config, Surroundings(table, 0, names, b"secret"), None, before)
    upstream.learn()
    return upstream


def test_the_first_request_waits_for_the_first_answer_and_fails_with_it(run, server):
    async def main():
        names, table = Names([server.address]), EndpointTable.create(1, 16)
        upstream = await start_upstream(UpstreamConfig("web", ["http://nowhere.test"]), names, table)
        with pytest.raises(UpstreamError, match="its name could not be resolved") as raised:
            await upstream.send(call())
        assert raised.value.kind == "name"
        await upstream.close()
        names.close()
        os.close(table.fd)

    run(main)


def test_an_endpoint_keeps_its_connections_and_health_over_a_reload(run, server):
    async def main():
        names, table = Names([server.address]), EndpointTable.create(1, 16)
        servers = [Server() for _ in range(3)]
        for each in servers:
            await each.start()
        old = await start_upstream(UpstreamConfig("web", [each.url for each in servers[:2]]), names, table)
        for _ in range(4):
            response = await old.send(call())
            await response.read()
        kept = {endpoint.name: endpoint for endpoint in old.endpoints}
        table.drain(kept[servers[0].url].key, True)
        targets: list[str | TargetConfig] = [servers[0].url, TargetConfig(servers[1].url, 5), servers[2].url]
        new = await start_upstream(UpstreamConfig("web", targets), names, table, old)
        await old.close()
        assert {name: endpoint for endpoint in new.endpoints if (name := endpoint.name) in kept} == kept
        connects = [endpoint.pool.connects for endpoint in kept.values()]
        for _ in range(12):
            response = await new.send(call())
            await response.read()
        assert [endpoint.pool.connects for endpoint in kept.values()] == connects
        assert servers[0].requests == 2, "it is still draining"
        assert servers[1].requests > servers[2].requests + 2
        await new.close()
        assert all(endpoint.pool.open == 0 for endpoint in kept.values())
        for each in servers:
            await each.stop()
        names.close()
        os.close(table.fd)

    run(main)


def test_an_endpoint_that_vanishes_finishes_what_it_has(run, server):
    go: asyncio.Event

    async def main():
        nonlocal go
        go = asyncio.Event()
        names, table = Names([server.address]), EndpointTable.create(1, 16)
        servers = [Server(), Server()]
        for each in servers:
            await each.start()

        async def slow(reader, writer, head):
            await go.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

        old = await start_upstream(UpstreamConfig("web", [each.url for each in servers]), names, table)
        for _ in range(2):
            await (await old.send(call())).read()
        servers[0].answer = servers[1].answer = slow
        asked = [asyncio.create_task(old.send(call())) for _ in range(2)]
        await eventually(lambda: sum(each.requests for each in servers) >= 4)
        gone = next(endpoint for endpoint in old.endpoints if endpoint.name == servers[0].url)
        new = await start_upstream(UpstreamConfig("web", [servers[1].url]), names, table, old)
        # The old one ends with its last request, as a generation's does.
        go.set()
        for task in asked:
            assert await (await task).read() == b"slow"
        await old.close()
        assert gone.pool.open == 0
        assert [endpoint.name for endpoint in new.endpoints] == [servers[1].url]
        await new.close()
        for each in servers:
            await each.stop()
        names.close()
        os.close(table.fd)

    run(main)
