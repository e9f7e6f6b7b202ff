from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from sentinel_host.control import Channel, ControlError, Drain, Message, Ready, Refused, Reply, StatsRequest
from sentinel_host.server.serve import run
from tests.support.clocks import PATIENCE

Talk = Callable[[Channel, Channel, list[tuple[Message, Reply]]], Awaitable[None]]


def talk(conversation: Talk) -> None:
    """Both ends on one loop; what the second receives is kept, and not answered."""

    async def main() -> None:
        received: list[tuple[Message, Reply]] = []
        one, other = socket.socketpair()
        ours = await Channel.connect(one, lambda message, reply: reply(Refused("nothing is asked here")))
        theirs = await Channel.connect(other, lambda message, reply: received.append((message, reply)))
        try:
            await conversation(ours, theirs, received)
        finally:
            await ours.close()
            await theirs.close()

    run(asyncio.wait_for(main(), PATIENCE))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something has come."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come")


def test_answers_find_their_questions_in_any_order() -> None:
    async def conversation(ours: Channel, theirs: Channel, received: list[tuple[Message, Reply]]) -> None:
        asked = [asyncio.ensure_future(ours.ask(StatsRequest(), 10)) for _ in range(3)]
        await until(lambda: len(received) == 3)
        for number in (2, 0, 1):
            received[number][1](Ready({"number": str(number)}, []))
        assert await asyncio.gather(*asked) == [Ready({"number": str(number)}, []) for number in range(3)]

    talk(conversation)


def test_a_one_way_message_has_no_answer() -> None:
    async def conversation(ours: Channel, theirs: Channel, received: list[tuple[Message, Reply]]) -> None:
        ours.send(Drain())
        await until(lambda: len(received) == 1)
        received[0][1](Ready({}, []))
        with pytest.raises(ControlError, match="nothing is asked here"):
            await theirs.ask(StatsRequest(), 10)

    talk(conversation)


def test_no_answer_in_time() -> None:
    async def conversation(ours: Channel, theirs: Channel, received: list[tuple[Message, Reply]]) -> None:
        with pytest.raises(ControlError, match=r"no answer within 0\.01 s"):
            await ours.ask(StatsRequest(), 0.01)
        # It comes late, and is for nobody.
        await until(lambda: len(received) == 1)
        received[0][1](Ready({}, []))

    talk(conversation)


def test_the_other_sides_end_is_an_answer_too() -> None:
    async def conversation(ours: Channel, theirs: Channel, received: list[tuple[Message, Reply]]) -> None:
        asked = asyncio.ensure_future(ours.ask(StatsRequest(), 10))
        await until(lambda: len(received) == 1)
        await theirs.close()
        with pytest.raises(ControlError, match="gone"):
            await asked
        await ours.closed
        with pytest.raises(ControlError, match="gone"):
            await ours.ask(StatsRequest(), 10)
        ours.send(Drain())

    talk(conversation)


def test_what_is_no_message_ends_the_channel() -> None:
    async def main() -> None:
        one, other = socket.socketpair()
        received: list[Message] = []
        channel = await Channel.connect(one, lambda message, reply: received.append(message))
        with other:
            other.sendall(b"\x00\x00\x00\x01\xc1")
            await channel.closed
        assert received == []

    run(asyncio.wait_for(main(), PATIENCE))
