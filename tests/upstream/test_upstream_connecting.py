"""How an upstream is reached: names, addresses, and those where nobody answers."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from sentinel_host.errors import UpstreamError, UpstreamTimeout
from sentinel_host.http.upstream import Target, Timeouts, UpstreamPool
from tests.support.clocks import LATE
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


def test_connect_timeout(run):
    """A listener whose queue is full answers no SYN."""

    async def main():
        with black_hole("127.0.0.1") as port:
            pool = UpstreamPool(Target.parse(f"http://127.0.0.1:{port}"), timeouts=Timeouts(connect=0.3))
            began = time.monotonic()
            with pytest.raises(UpstreamTimeout, match=r"no connection within 0\.3 s") as raised:
                await pool.send(get())
            # uvloop's timers count whole milliseconds.
            assert 0.299 <= time.monotonic() - began < LATE
            assert raised.value.status == 504
            assert pool.open == 0
            await pool.close()

    run(main)


def test_names_are_resolved_again_when_they_expire(run):
    async def script(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            loop = asyncio.get_running_loop()
            pool = upstream.pool(host="localhost", dns_ttl=1.0)
            resolver = pool._resolver
            await asyncio.gather(*(pool.send(get()) for _ in range(3)))
            first = resolver._expires
            assert first > loop.time()
            await eventually(lambda: pool.open == 0)
            await pool.send(get())
            assert resolver._expires == first
            await eventually(lambda: loop.time() > first and pool.open == 0)
            await pool.send(get())
            assert resolver._expires > first
            await pool.close()

    run(main)


class Addresses:
    """A resolver that knows its answer."""

    def __init__(self, *addresses):
        self.known = list(addresses)
        self.forgotten = 0

    async def addresses(self):
        return self.known

    def forget(self):
        self.forgotten += 1

    def close(self):
        pass


def test_every_address_is_tried_in_order(run):
    """A refusing address and a black hole come first; the hole may use only its share of the connect timeout."""

    async def script(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            with black_hole("127.0.0.3", upstream.port):
                pool = upstream.pool(host="some.test", timeouts=Timeouts(connect=2.0))
                pool._resolver = Addresses("127.0.0.2", "127.0.0.3", "127.0.0.1")
                assert await drain(await pool.send(get())) == b"ok"
                assert pool._resolver.forgotten == 0
                pool._resolver.known.pop()
                await eventually(lambda: pool.open == 0)
                with pytest.raises(UpstreamTimeout):
                    await pool.send(get())
                pool._resolver.known.pop()
                with pytest.raises(UpstreamError, match="Connection refused"):
                    await pool.send(get())
                assert pool._resolver.forgotten == 1
            await pool.close()

    run(main)
