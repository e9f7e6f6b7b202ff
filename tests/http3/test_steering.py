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
    return ConnectionIds(number, group.key, group.secret)


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
    everybody = range(SOCKETS)
    for accepting, alive in (((), everybody), ((1,), everybody), (everybody, everybody), (everybody, range(5000))):
        group.steer(accepting, alive)
        for number in everybody:
            ids = ids_of(group, number)
            arrive(group, number, [short(ids.make()), long(ids.make()), long(ids.make(), kind=0xE0)])


def test_ids_of_clients_go_to_those_that_accept(group: QuicGroup) -> None:
    for accepting in ((), (3,), (1, 4), (0, 2, 3)):
        group.steer(accepting, accepting)
        for word in range(6):
            number = accepting[word % len(accepting)] if accepting else 0
            for length in (8, ID_LENGTH, 20):
                # The key of the group would be 0 XOR the first word, in an id of our length.
                own = word.to_bytes(2, "big") + bytes(2) + (group.key ^ 1 ^ word).to_bytes(2, "big")
                arrive(group, number, [long((own + bytes(14))[:length])])


def test_whatever_else_comes_goes_to_one_of_them(group: QuicGroup) -> None:
    group.steer((1, 2), (1, 2))
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


def test_ids_of_a_worker_that_has_died_go_to_one_that_accepts(group: QuicGroup) -> None:
    group.steer((1, 4), (1, 3, 4))
    for number in (0, 2):
        for _ in range(8):
            connection_id = ids_of(group, number).make()
            other = (1, 4)[int.from_bytes(connection_id[:2], "big") % 2]
            arrive(group, other, [short(connection_id), long(connection_id)])
    arrive(group, 3, [short(ids_of(group, 3).make())])


def test_a_stateless_reset_is_what_the_connections_own_worker_would_have_promised() -> None:
    """RFC 9000 section 10.3: it looks like any datagram, and is shorter than what it answers."""
    dead, alive = (ConnectionIds(number, 0x1234, b"s" * 32) for number in (1, 2))
    connection_id = dead.make()
    for size in (22, 40, 1200):
        answer = alive.reset(connection_id, size)
        assert answer is not None
        assert answer.endswith(dead.token(connection_id))
        assert answer[0] & 0xC0 == 0x40
        assert 21 <= len(answer) == min(size - 1, 43)
    assert alive.reset(connection_id, 21) is None
    assert alive.reset(bytes(12), 1200) is None
    assert ConnectionIds(1, 0x1234, b"t" * 32).token(connection_id) != dead.token(connection_id)


def test_ids_differ() -> None:
    ids = ConnectionIds(7, 0x1234, b"secret")
    made = {ids.make() for _ in range(100)}
    assert len(made) == 100
    assert {len(each) for each in made} == {ID_LENGTH}
