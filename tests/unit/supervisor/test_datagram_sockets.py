"""The sockets of HTTP/3: one for each process that may serve, and none of anybody else's."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from sentinel_host.errors import ConfigError
from sentinel_host.server import address_of
from sentinel_host.supervisor.listeners import Listeners

Make = Callable[..., Listeners]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes listeners whose sockets are closed in the end."""
    made: list[Listeners] = []

    def listeners(*, may_be_used: bool = False) -> Listeners:
        made.append(Listeners({"public": [], "admin": []}, may_be_used=may_be_used))
        return made[-1]

    yield listeners
    for each in made:
        each.close()


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_all_have_one_address(make: Make, address: str) -> None:
    sockets = make().open_datagrams(address, 6)
    assert len(sockets) == 6
    assert len({address_of(sock) for sock in sockets}) == 1
    (one,) = make().open_datagrams(address, 1)
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0


@pytest.mark.parametrize("there", [1, 4])
@pytest.mark.parametrize("more", [1, 4])
def test_an_address_that_another_gateway_has_is_refused(make: Make, there: int, more: int) -> None:
    """Sockets of one user may share an address: two gateways would take each other's datagrams."""
    address = address_of(make().open_datagrams("127.0.0.1:0", there)[0])
    with pytest.raises(ConfigError, match=rf"{address}: Address already in use"):
        make().open_datagrams(address, more)


@pytest.mark.parametrize("count", [1, 4])
def test_a_check_beside_a_gateway_that_serves_finds_no_fault(make: Make, count: int) -> None:
    address = address_of(make().open_datagrams("127.0.0.1:0", count)[0])
    assert len(make(may_be_used=True).open_datagrams(address, count)) == count
