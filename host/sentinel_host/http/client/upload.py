"""A streamed request body on its way to the upstream: one task, at the pace of the slower side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sentinel_host.errors import ClientError
from sentinel_host.http.client.request import BodySource, encode_trailers

if TYPE_CHECKING:
    from sentinel_host.http.client.connection import Connection


class Upload:
    """``waiting_for_source`` is true while the next piece is the client's to send: that time is not the upstream's."""

    __slots__ = ("_connection", "_content_length", "_source", "_task", "_writable", "done", "waiting_for_source")

    def __init__(
        self,
        connection: Connection,
        source: BodySource,
        content_length: int | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._connection = connection
        self._source = source
        self._content_length = content_length
        self._writable: asyncio.Future[None] | None = None
        self.done = False
        self.waiting_for_source = True
        self._task = loop.create_task(self._run())

    def cancel(self) -> None:
        if not self.done:
            self.done = True
            self._task.cancel()

    def resume(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    async def _run(self) -> None:
        try:
            await self._copy()
        except BaseException as error:
            # Whatever a source raises belongs to whoever waits for the response; our own cancel() has set `done`.
            if not self.done:
                self.done = True
                self._connection.fail(error)
            elif not isinstance(error, (Exception, asyncio.CancelledError)):
                raise
        else:
            self.done = True
            self._connection.upload_finished()

    async def _copy(self) -> None:
        connection, source = self._connection, self._source
        left = self._content_length
        while True:
            self.waiting_for_source = True
            data = await source.read()
            self.waiting_for_source = False
            if self.done:
                return
            if not data:
                break
            if left is None:
                connection.write((b"%x\r\n" % len(data), data, b"\r\n"))
            else:
                left -= len(data)
                if left < 0:
                    raise ClientError("the request body is longer than its Content-Length")
                connection.write((data,))
            while connection.write_paused and not self.done:
                self._writable = asyncio.get_running_loop().create_future()
                await self._writable
        if left is None:
            connection.write((encode_trailers(source.trailers),))
        elif left:
            raise ClientError("the request body is shorter than its Content-Length")
