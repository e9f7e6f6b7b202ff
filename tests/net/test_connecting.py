"""Connecting to the first of several addresses that answers."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sentinel_host.net import connect
from sentinel_host.net.connecting import DELAY
from tests.support.descriptors import descriptors
from tests.support.upstreams import black_hole


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_one_address(run, listener):
    async def main():
        sock, address = await connect(["127.0.0.1"], port_of(listener))
        with sock:
            assert (address, sock.getpeername()) == ("127.0.0.1", ("127.0.0.1", port_of(listener)))
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(main)


def test_an_address_with_a_scope(run):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")

    async def main():
        sock, _ = await connect(["::1%0"], port_of(listener))
        sock.close()

    with listener:
        run(main)


def test_a_refusal_starts_the_next_at_once(run, listener):
    failed: list[str] = []

    async def main():
        refused = [f"127.0.1.{number}" for number in range(1, 100)]
        addresses = [*refused, "127.0.0.1", "127.0.0.9"]
        async with asyncio.timeout(99 * DELAY):  # as long as it takes to wait after each
            sock, address = await connect(addresses, port_of(listener), failed.append)
        sock.close()
        assert (address, addresses) == ("127.0.0.1", ["127.0.0.9"])
        assert failed == refused

    run(main)


@pytest.mark.parametrize("holes", [1, 3])
def test_silence_starts_the_next_after_a_moment(run, listener, holes):
    """An address that swallows packets cost half of the connect timeout, for every connection."""
    failed: list[str] = []
    silent = [f"127.0.2.{number}" for number in range(1, holes + 1)]

    async def main():
        addresses = [*silent, "127.0.0.1", "127.0.0.9"]
        sock, address = await connect(addresses, port_of(listener), failed.append)
        sock.close()
        assert (address, addresses) == ("127.0.0.1", [*silent, "127.0.0.9"])

    with HolesAt(silent, port_of(listener)):
        run(main)
    assert sorted(failed) == silent


def test_the_last_refusal_does_not_end_the_wait_for_a_silent_one(run):

    async def main():
        with black_hole("127.0.0.3") as port:
            attempt = asyncio.create_task(connect(["127.0.0.3", "127.0.0.4"], port))
            await asyncio.wait([attempt], timeout=2 * DELAY)
            assert not attempt.done()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt

    run(main)


def test_refusals_beside_a_silent_one_start_the_next_at_once(run, listener):
    async def main():
        refused = [f"127.0.1.{number}" for number in range(1, 100)]
        async with asyncio.timeout(99 * DELAY):
            sock, address = await connect(["127.0.2.1", *refused, "127.0.0.1"], port_of(listener))
        sock.close()
        assert address == "127.0.0.1"

    with HolesAt(["127.0.2.1"], port_of(listener)):
        run(main)


def test_the_error_of_the_last_is_raised(run, listener):
    async def main():
        port = port_of(listener)
        with pytest.raises(ConnectionRefusedError):
            await connect(["127.0.0.2", "127.0.0.3"], port)
        with pytest.raises(ConnectionRefusedError):
            await connect(["127.0.0.2"], port)

    run(main)


def test_attempts_that_are_given_up_leave_nothing_open(run, listener):
    async def main():
        silent = ["127.0.2.1", "127.0.2.2"]
        with HolesAt(silent, port_of(listener)):
            before = descriptors()
            sock, _ = await connect([*silent, "127.0.0.1"], port_of(listener))
            sock.close()
            attempt = asyncio.create_task(connect(list(silent), port_of(listener)))
            await asyncio.wait([attempt], timeout=2 * DELAY)
            attempt.cancel()
            await asyncio.wait([attempt])
            await asyncio.sleep(0)
            assert not descriptors() - before

    run(main)


class HolesAt:
    """Addresses that answer no SYN to one port."""

    def __init__(self, hosts: list[str], port: int) -> None:
        self._holes = [black_hole(host, port) for host in hosts]

    def __enter__(self) -> None:
        for hole in self._holes:
            hole.__enter__()

    def __exit__(self, *_: object) -> None:
        for hole in self._holes:
            hole.__exit__(None, None, None)
