"""What is known of a kept connection's socket before a request goes out on it."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from sentinel_host.http.client._pending import has_no_pending_input

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        with theirs:
            yield ours, theirs


def wait(sock: socket.socket) -> None:
    """Until what the other end did is here; nothing is read."""
    sock.recv(1, socket.MSG_PEEK)


def test_nothing_to_read(pair: Pair) -> None:
    ours, theirs = pair
    for blocking in (True, False):
        ours.setblocking(blocking)
        assert has_no_pending_input(ours.fileno())
    ours.sendall(b"request")
    assert has_no_pending_input(ours.fileno())
    wait(theirs)
    assert not has_no_pending_input(theirs.fileno())


def test_bytes_are_pending_and_stay(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"ab")
    wait(ours)
    assert not has_no_pending_input(ours.fileno())
    assert ours.recv(10) == b"ab"
    assert has_no_pending_input(ours.fileno())


def test_an_end_of_stream_is_pending(pair: Pair) -> None:
    ours, theirs = pair
    theirs.shutdown(socket.SHUT_WR)
    wait(ours)
    assert not has_no_pending_input(ours.fileno())


def test_a_reset_is_pending(pair: Pair) -> None:
    ours, theirs = pair
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    with pytest.raises(ConnectionResetError):
        wait(ours)
    assert not has_no_pending_input(ours.fileno())


def test_what_is_no_open_socket() -> None:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    assert not has_no_pending_input(descriptor)
    os.close(descriptor)
    assert not has_no_pending_input(descriptor)
    assert not has_no_pending_input(-1)
    with pytest.raises(OverflowError):
        has_no_pending_input(2**40)
    with pytest.raises(TypeError):
        has_no_pending_input("1")  # type: ignore[arg-type]
