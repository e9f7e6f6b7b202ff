"""How an upstream is reached: names, addresses, and those where nobody answers."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sentinel_host.errors import UpstreamDenied, UpstreamError, UpstreamTimeout
from sentinel_host.http.client import Target, Timeouts, UpstreamPool
from tests.support.clocks import PATIENCE
from tests.support.loops import MINUTES, leap, run_leaping
from tests.support.names import KnownNames
from tests.support.upstreams import black_hole
from tests.upstream.support import OK, Upstream, drain, eventually, get


def test_connection_refused(run):
    async def main():
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            pool = UpstreamPool(Target.parse(f"http://127.0.0.1:{unused.getsockname()[1]}"))
            with pytest.raises(
                UpstreamError, match=r"^upstream http://127.0.0.1:\d+: no connection: Connection refused$"
            ):
                await pool.send(get())
            assert (pool.open, pool.failures, pool.connects) == (0, 1, 0)
            await pool.close()

    run(main)


def test_a_name_that_does_not_resolve(run):
    async def main():
        pool = UpstreamPool(Target.parse("http://no-such-host.invalid"))
        with pytest.raises(
            UpstreamError, match=r"^upstream http://no-such-host\.invalid: its name could not be resolved$"
        ):
            await pool.send(get())
        assert pool.open == 0
        await pool.close()

    run(main)


def test_connect_timeout():
    """A listener whose queue is full answers no SYN."""

    async def main():
        with black_hole("127.0.0.1") as port:
            pool = UpstreamPool(Target.parse(f"http://127.0.0.1:{port}"), timeouts=Timeouts(connect=MINUTES))
            sending = asyncio.create_task(pool.send(get()))
            await eventually(lambda: pool.open == 1)
            await leap(MINUTES / 2)
            assert not sending.done()
            await leap(MINUTES)
            with pytest.raises(UpstreamTimeout, match=r"no connection within 900 s") as raised:
                await sending
            assert raised.value.status == 504
            assert pool.open == 0
            await pool.close()

    run_leaping(main())


def test_a_name_is_looked_up_again_when_none_of_its_addresses_answers(run):
    async def script(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            names = KnownNames({"some.test": ["127.0.0.2"]})
            pool = upstream.pool(host="some.test", names=names)
            with pytest.raises(UpstreamError, match="Connection refused"):
                await pool.send(get())
            names.known["some.test"] = ["127.0.0.1"]
            assert await drain(await pool.send(get())) == b"ok"
            # Known addresses serve on while the name cannot be looked up.
            names.known.clear()
            await eventually(lambda: pool.open == 0)
            pool.connector.addresses.doubt()
            assert await drain(await pool.send(get())) == b"ok"
            assert names.asked == ["some.test"] * 3
            await pool.close()

    run(main)


def test_an_address_that_swallows_packets_is_tried_last_from_then_on(run):
    """It cost half of the connect timeout for every connection; RFC 8305 has the next address tried
    after 250 ms.
    """

    async def script(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            with black_hole("127.0.0.3", upstream.port):
                names = KnownNames({"some.test": ["127.0.0.2", "127.0.0.3", "127.0.0.1"]})
                pool = upstream.pool(host="some.test", names=names, timeouts=Timeouts(connect=MINUTES))
                async with asyncio.timeout(PATIENCE):  # half of the timeout is more
                    assert await drain(await pool.send(get())) == b"ok"
                    assert await pool.connector.addresses.find() == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
                    await eventually(lambda: pool.open == 0)
                    assert await drain(await pool.send(get())) == b"ok"
            await pool.close()

    run(main)


def test_nobody_answers(run):
    async def main():
        with black_hole("127.0.0.3") as port:
            names = KnownNames({"some.test": ["127.0.0.3", "127.0.0.2"]})
            pool = UpstreamPool(Target.parse(f"http://some.test:{port}"), names=names, timeouts=Timeouts(connect=0.6))
            with pytest.raises(UpstreamTimeout):
                await pool.send(get())
            names.known["some.test"] = ["127.0.0.2"]
            pool.connector.addresses.doubt()
            with pytest.raises(UpstreamError, match="Connection refused"):
                await pool.send(get())
            await pool.close()

    run(main)


def test_only_addresses_that_may_be_connected_to_are(run):
    """Whichever way the addresses before them fail."""
    asked = []

    def allows(address):
        asked.append(address)
        return address != "127.0.0.1"

    async def script(peer):
        await peer.head()

    async def main():
        async with Upstream(script) as upstream:
            addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
            names = KnownNames({"some.test": addresses})
            pool = upstream.pool(host="some.test", names=names, allows=allows, timeouts=Timeouts(connect=1.0))
            with black_hole("127.0.0.3", upstream.port), pytest.raises(UpstreamTimeout):
                await pool.send(get())
            assert sorted(asked) == addresses
            names.known["some.test"] = ["127.0.0.1"]
            for _ in range(2):
                pool.connector.addresses.doubt()
                with pytest.raises(UpstreamDenied):
                    await pool.send(get())
            assert upstream.accepted == 0
            await pool.close()

    run(main)
