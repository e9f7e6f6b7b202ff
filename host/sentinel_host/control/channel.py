"""One end of a control channel on an event loop: messages, requests and their answers over a stream
socket.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from itertools import count
from typing import cast

from sentinel_host.control.codec import ControlError, FrameDecoder, encode
from sentinel_host.control.messages import Frame, Message, Refused

_log = logging.getLogger("sentinel.control")

Reply = Callable[[Message], None]
# Takes a message and how to answer it, at once or later; the answer to a one-way message goes
# nowhere.
Receive = Callable[[Message, Reply], None]


class Channel(asyncio.Protocol):
    """Made by `connect`. ``closed`` is done once the other side is gone, however it went."""

    def __init__(self, receive: Receive) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._receive = receive
        self._decoder = FrameDecoder()
        self._ids = count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, sock: socket.socket, receive: Receive) -> Channel:
        """Speak over ``sock``, one of a pair, which belongs to the channel from now on."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(receive), sock=sock)
        return channel

    def send(self, message: Message) -> None:
        """One way; to a side that is gone it is lost."""
        self._write(Frame(0, False, message))

    async def ask(self, message: Message, within: float) -> Message:
        """The other side's answer.

        Raises `ControlError` when it refuses, is gone, or takes longer than ``within`` seconds.
        """
        if self.closed.done():
            raise ControlError("the other side is gone")
        number = next(self._ids)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._write(Frame(number, False, message))
            answer: Message = await asyncio.wait_for(future, within)
        except TimeoutError:
            raise ControlError(f"no answer within {within:g} s") from None
        finally:
            del self._asked[number]
        if isinstance(answer, Refused):
            raise ControlError(answer.reason)
        return answer

    async def close(self) -> None:
        """Send what is still to be sent, and end."""
        if self._transport is not None:
            self._transport.close()
            await self.closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except ControlError as error:
            _log.error("%s", error)
            self._abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = None
        if not self.closed.done():
            self.closed.set_result(None)
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ControlError("the other side is gone"))

    def _take(self, frame: Frame) -> None:
        if frame.answer:
            future = self._asked.get(frame.id)
            if future is not None and not future.done():
                future.set_result(frame.message)
        else:
            self._receive(frame.message, lambda message: self._answer(frame.id, message))

    def _answer(self, number: int, message: Message) -> None:
        if number:
            self._write(Frame(number, True, message))

    def _write(self, frame: Frame) -> None:
        if self._transport is not None:
            self._transport.write(encode(frame))

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
