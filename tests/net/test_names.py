"""Looking names up with c-ares, against a name server of the test's own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_host.net import Names, UnresolvedName
from sentinel_host.net.names import Service
from tests.support.clocks import PATIENCE
from tests.support.descriptors import descriptors
from tests.support.nameservers import NXDOMAIN, SERVFAIL, SILENCE, NameServer, name_server
from tests.support.upstreams import running_upstream


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


def test_addresses_of_both_families_with_their_time_to_live(run, server):
    server.known["both.test"] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    server.ttl = 42

    async def main():
        names = Names([server.address])
        found = await names.look_up("both.test")
        assert sorted(found.addresses) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        assert found.ttl == 42
        names.close()

    run(main)


@pytest.mark.parametrize(
    ("host", "answer", "negative"),
    [
        ("none.test", NXDOMAIN, True),
        ("empty.test", [], True),
        ("a..test", NXDOMAIN, True),
        ("failing.test", SERVFAIL, False),
    ],
)
def test_a_name_without_an_address(run, server, host, answer, negative):
    server.known[host] = answer

    async def main():
        names = Names([server.address])
        with pytest.raises(UnresolvedName) as raised:
            await names.look_up(host)
        assert raised.value.negative is negative
        names.close()

    run(main)


def test_names_that_do_not_resolve_delay_no_other(run, server):
    """libuv looks names up in four threads: two names whose servers kept silent, each asked for
    twice at once, held up every other look-up of the process until they had failed.
    """
    server.known["good.test"] = ["192.0.2.1"]
    for number in range(50):
        server.known[f"silent{number}.test"] = SILENCE

    async def main():
        names = Names([server.address])
        stuck = [asyncio.create_task(names.look_up(f"silent{number}.test")) for number in range(50)]
        await asyncio.sleep(0)
        assert (await names.look_up("good.test")).addresses == ["192.0.2.1"]
        assert not any(task.done() for task in stuck)
        names.close()
        assert all(
            isinstance(result, UnresolvedName) for result in await asyncio.gather(*stuck, return_exceptions=True)
        )

    run(main)


def test_a_query_that_is_lost_is_sent_again(run, server):
    server.known["good.test"] = ["192.0.2.1"]
    server.silent = True

    async def main():
        names = Names([server.address])
        lookup = asyncio.create_task(names.look_up("good.test"))
        while not server.asked:  # noqa: ASYNC110 (the server is in another thread)
            await asyncio.sleep(0.001)
        server.silent = False
        assert (await lookup).addresses == ["192.0.2.1"]
        names.close()

    run(main)


def test_nobody_answers_at_the_name_servers_port(run):
    async def main():
        names = Names(["127.0.0.1:9"])
        with pytest.raises(UnresolvedName) as raised:
            await names.look_up("some.test")
        assert not raised.value.negative
        names.close()

    run(main)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "here.localhost", "127.0.0.1"])
def test_this_machine_is_never_asked_for(run, server, host):
    async def main():
        names = Names([server.address])
        found = await names.look_up(host)
        assert "127.0.0.1" in found.addresses
        assert set(found.addresses) <= {"127.0.0.1", "::1"}
        assert server.asked == []
        names.close()

    run(main)


def test_the_hosts_file_counts(run, server):
    """The machine's own name is in there as a rule; whatever is, needs no name server."""
    entries = [line.split("#")[0].split() for line in Path("/etc/hosts").read_text().splitlines()]
    hosts = [entry[1] for entry in entries if len(entry) > 1 and ":" not in entry[0] and "local" not in entry[1]]
    if not hosts:
        pytest.skip("/etc/hosts has nothing but localhost")

    async def main():
        names = Names([server.address])
        assert (await names.look_up(hosts[0])).addresses
        assert server.asked == []
        names.close()

    run(main)


def test_a_changed_resolv_conf_is_read(run, server, tmp_path):
    """With a network or a VPN other name servers come. Look-ups that are under way end as they
    began.
    """
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\n")
    server.known |= {"good.test": ["192.0.2.1"], "slow.test": ["192.0.2.2"]}

    async def main():
        names = Names([server.address], str(conf))
        server.silent = True
        slow = asyncio.create_task(names.look_up("slow.test"))
        while not server.asked:  # noqa: ASYNC110 (the server is in another thread)
            await asyncio.sleep(0.001)
        before = names._channel
        assert before is not None
        server.silent = False
        other = tmp_path / "other"
        other.write_text("nameserver 127.0.0.2\n")
        other.rename(conf)
        assert (await names.look_up("good.test")).addresses == ["192.0.2.1"]
        assert names._channel is not before
        assert (await slow).addresses == ["192.0.2.2"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert before._closed
        names.close()

    run(main)


def test_sockets_and_threads_do_not_grow_in_number(run, server):
    server.known["good.test"] = ["192.0.2.1"]
    server.ttl = 0

    async def main():
        names = Names([server.address])
        await names.look_up("good.test")
        threads, before = set(threading.enumerate()), descriptors()
        await asyncio.gather(*(names.look_up("good.test") for _ in range(100)))
        assert (set(threading.enumerate()) - threads, descriptors() - before) == (set(), frozenset())
        names.close()

    run(main)


LIMIT = """
import asyncio, os, resource, sys, threading
import uvloop
from sentinel_host.errors import SentinelError
from sentinel_host.http.client import Target, UpstreamPool, UpstreamRequest
from sentinel_host.net import Names

def limit():
    if os.getuid() == 0:
        os.setuid(65534)  # nothing limits root
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        pass
    else:
        sys.exit("no limit")
"""
LATER = """
async def main():
    names = Names()
    names.open()
    limit()
    pool = UpstreamPool(Target.parse(sys.argv[1]), names=names)
    response = await pool.send(UpstreamRequest(b"GET", b"/", [], b"a"))
    print(response.status, (await response.read()).decode())
    await pool.close()

uvloop.run(main())
"""
BEFORE = """
async def main():
    limit()
    try:
        Names().open()
    except SentinelError as error:
        print(error)

uvloop.run(main())
"""


@pytest.mark.parametrize(
    ("script", "printed"),
    [(LATER, "200 hello\n"), (BEFORE, "names cannot be looked up: can't start new thread\n")],
    ids=["later", "before"],
)
def test_no_thread_is_needed_once_the_gateway_has_started(script, printed):
    """libuv starts its threads with the first look-up, and aborts the process when it is not given
    any.
    """
    with running_upstream() as upstream:
        ended = subprocess.run(
            [sys.executable, "-c", LIMIT + script, f"http://localhost:{upstream.port}"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    if ended.stderr == "no limit\n":
        pytest.skip("this system does not limit the number of threads")
    assert (ended.returncode, ended.stdout) == (0, printed), ended.stderr


def test_the_servers_of_a_service_are_those_of_the_best_priority(run, server):
    server.ttl = 7
    server.services["_http._tcp.shop.test"] = [
        (20, 1, 80, "spare.shop.test"),
        (10, 5, 8081, "b.shop.test"),
        (10, 0, 8080, "a.shop.test"),
        (10, 5, 8081, "b.shop.test"),
    ]

    async def main():
        names = Names([server.address])
        services, lifetime = await names.look_up_service("_http._tcp.shop.test")
        assert services == [Service("a.shop.test", 8080, 0), Service("b.shop.test", 8081, 5)]
        assert lifetime == 7
        names.close()

    run(main)


@pytest.mark.parametrize(
    ("records", "code", "negative"),
    [(None, NXDOMAIN, True), (None, SERVFAIL, False), ([], 0, True), ([(0, 0, 0, ".")], 0, True)],
    ids=["no name", "failure", "no record", "no such service"],
)
def test_a_service_without_a_server(run, server, records, code, negative):
    if records is None:
        server.known["_http._tcp.none.test"] = code
    else:
        server.services["_http._tcp.none.test"] = records

    async def main():
        names = Names([server.address])
        with pytest.raises(UnresolvedName) as raised:
            await names.look_up_service("_http._tcp.none.test")
        assert raised.value.negative is negative
        names.close()

    run(main)
