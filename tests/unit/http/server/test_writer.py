"""What one connection sends: gathered per turn of the loop, held back, and ended; without a
socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.http.server.writer import Writer
from tests.support.loops import run_jumping
from tests.unit.http.transport import Transport

Scenario = Callable[[Writer, Transport], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        connections = Connections(ServerLimits())
        connections.start(asyncio.get_running_loop())
        writer = Writer(connections)
        transport = Transport(writer.lose)
        writer.attach(transport)  # type: ignore[arg-type]
        await scenario(writer, transport)
        connections.stop()

    run_jumping(main())


def test_writes_of_one_turn_leave_together_when_it_is_over() -> None:
    async def scenario(writer: Writer, transport: Transport) -> None:
        writer.write(b"a")
        writer.write(b"b")
        assert transport.written == b""
        await asyncio.sleep(0)
        assert transport.written == b"ab"

    play(scenario)


def test_much_leaves_at_once() -> None:
    async def scenario(writer: Writer, transport: Transport) -> None:
        writer.write(b"a" * 65_536)
        assert transport.written == b""
        writer.write(memoryview(b"b"))
        assert len(transport.written) == 65_537

    play(scenario)


@pytest.mark.parametrize("end", [Writer.end, Writer.close, Writer.abort, Writer.reset, Writer.cut_off])
def test_an_end_comes_after_what_was_written(end: Callable[[Writer], object]) -> None:
    async def scenario(writer: Writer, transport: Transport) -> None:
        writer.write(b"a")
        end(writer)
        assert transport.written == b"a"
        assert len(transport.events) == 1

    play(scenario)


def test_a_closing_transport_blocks() -> None:
    """It drops what it is given: an application that never waited went on writing for ever."""

    async def scenario(writer: Writer, transport: Transport) -> None:
        assert not writer.blocked()
        writer.close()
        assert writer.blocked()
        waiting = asyncio.ensure_future(writer.drained())
        await asyncio.sleep(0)
        assert not waiting.done()
        writer.lose()
        await waiting
        assert writer.lost

    play(scenario)


def test_nothing_is_written_once_the_transport_is_lost() -> None:
    async def scenario(writer: Writer, transport: Transport) -> None:
        writer.lose()
        writer.write(b"a")
        await asyncio.sleep(0)
        assert transport.written == b""

    play(scenario)


def test_a_half_close_on_a_closing_transport_is_left_out() -> None:
    """asyncio's transports raise for it."""

    async def scenario(writer: Writer, transport: Transport) -> None:
        writer.close()
        assert writer.end()
        assert transport.events == ["close"]

    play(scenario)
