"""How many bytes wake who reads a socket, as the kernel says."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from sentinel_host.http.low_water import PIECE, LowWaterMark
from tests.support.loops import run_jumping

MUCH = 100 * PIECE
# Shorter than the time without a read that ends it, and longer.
SHORT, LONG = 0.003, 0.011


@pytest.fixture
def reader() -> Iterator[socket.socket]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as reader,
    ):
        yield reader


def mark_of(reader: socket.socket) -> int:
    return reader.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


def test_it_is_up_while_large_pieces_keep_coming(reader: socket.socket) -> None:
    async def main() -> None:
        mark = LowWaterMark(reader.fileno(), asyncio.get_running_loop())
        mark.took(1000, MUCH)
        assert mark_of(reader) == 1
        mark.took(PIECE, MUCH)
        assert mark_of(reader) == PIECE
        for _ in range(20):
            await asyncio.sleep(SHORT)
            mark.took(PIECE, MUCH)
            assert mark_of(reader) == PIECE
        await asyncio.sleep(LONG)
        assert mark_of(reader) == 1
        mark.took(PIECE, MUCH)
        assert mark_of(reader) == PIECE
        mark.leave()

    run_jumping(main())


def test_the_last_piece_wakes_with_any_byte(reader: socket.socket) -> None:
    async def main() -> None:
        mark = LowWaterMark(reader.fileno(), asyncio.get_running_loop())
        mark.took(PIECE, MUCH)
        mark.took(PIECE, PIECE)
        assert mark_of(reader) == 1
        mark.took(PIECE, 1)
        assert mark_of(reader) == 1
        mark.leave()

    run_jumping(main())


def test_it_leaves_the_socket_open_and_as_it_was(reader: socket.socket) -> None:
    async def main() -> None:
        mark = LowWaterMark(reader.fileno(), asyncio.get_running_loop())
        mark.took(PIECE, MUCH)
        mark.leave()
        assert mark_of(reader) == 1
        await asyncio.sleep(LONG)
        os.fstat(reader.fileno())

    run_jumping(main())
