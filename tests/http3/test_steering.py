"""Datagrams find the socket that their connection id names, whoever sends them: the kernel's
program on real sockets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from sentinel_host.server import QuicGroup, address_of, bind, open_quic
from sentinel_host.server.steering import ID_LENGTH, ConnectionIds
from tests.support.clocks import PATIENCE

SOCKETS = 5
VERSION = (1).to_bytes(4, "big")


@pytest.fixture
def group() -> Iterator[QuicGroup]:
    """Sockets of one address, steered."""
    sockets = [bind("127.0.0.1:0", socket.SOCK_DGRAM, in_group=True)]
    while len(sockets) < SOCKETS:
        sockets.append(bind(address_of(sockets[0]), socket.SOCK_DGRAM, in_group=True))
    for sock in sockets:
        sock.settimeout(PATIENCE)
    yield open_quic(sockets)
    for sock in sockets:
        sock.close()


def ids_of(group: QuicGroup, number: int) -> ConnectionIds:
    return ConnectionIds(number, group.key)


def short(connection_id: bytes) -> bytes:
    return b"\x40" + connection_id + bytes(20)


def long(connection_id: bytes, kind: int = 0xC0) -> bytes:
    return bytes([kind]) + VERSION + bytes([len(connection_id)]) + connection_id + bytes(1200)


def arrive(group: QuicGroup, number: int, datagrams: list[bytes]) -> None:
    """Send each from a socket of its own, and see that this socket gets it, and no other."""
    for datagram in datagrams:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(datagram, group.sockets[0].getsockname())
        assert group.sockets[number].recv(2000) == datagram
    for other in group.sockets:
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1)
        other.settimeout(PATIENCE)


def test_our_ids_name_their_socket_in_either_header(group: QuicGroup) -> None:
    """Also while that socket's worker accepts no new connections."""
    for accepting in ((), (1,), (0, 1, 2, 3, 4)):
        group.steer(accepting)
        for number in range(SOCKETS):
            ids = ids_of(group, number)
            arrive(group, number, [short(ids.make()), long(ids.make()), long(ids.make(), kind=0xE0)])


def test_ids_of_clients_go_to_those_that_accept(group: QuicGroup) -> None:
    for accepting in ((), (3,), (1, 4), (0, 2, 3)):
        group.steer(accepting)
        for word in range(6):
            number = accepting[word % len(accepting)] if accepting else 0
            for length in (8, ID_LENGTH, 20):
                # The key of the group would be 0 XOR the first word, in an id of our length.
                own = word.to_bytes(2, "big") + bytes(2) + (group.key ^ 1 ^ word).to_bytes(2, "big")
                arrive(group, number, [long((own + bytes(14))[:length])])


def test_whatever_else_comes_goes_to_one_of_them(group: QuicGroup) -> None:
    group.steer((1, 2))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        sent = [b"", b"\x40", b"\xc0", b"\x40" + bytes(3), os.urandom(1200), b"\xff" * 7]
        for datagram in sent:
            client.sendto(datagram, group.sockets[0].getsockname())
    got = []
    for sock in group.sockets:
        sock.setblocking(False)
        while True:
            try:
                got.append(sock.recv(2000))
            except BlockingIOError:
                break
    assert sorted(got) == sorted(sent)


def test_ids_differ() -> None:
    ids = ConnectionIds(7, 0x1234)
    made = {ids.make() for _ in range(100)}
    assert len(made) == 100
    assert {len(each) for each in made} == {ID_LENGTH}
