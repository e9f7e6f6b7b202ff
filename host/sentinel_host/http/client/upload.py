"""A streamed request body on its way to the upstream: one task, at the pace of the slower side."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sentinel_host.errors import ClientError
from sentinel_host.http.client.request import BodySource, Headers, RelayableBody
from sentinel_host.http.relay import LEAST, Relay


class UploadOwner(Protocol):
    """What a body is written to, and who is told what becomes of it."""

    write_paused: bool
    """Whether the other side takes nothing now; `Upload.resume` is to be called when it does
    again.
    """

    def send_piece(self, data: bytes) -> None:
        """Send a piece of the body."""
        ...

    def send_end(self, trailers: Headers) -> None:
        """Say that the body is whole; its trailers follow where it has any, and where they can be
        sent.
        """
        ...

    async def emptied(self) -> int:
        """Wait until the kernel has all pieces; the descriptor of a socket that takes what follows
        them as it is. -1: there is none.
        """
        ...

    def on_relayed(self) -> None:
        """The socket was given some of what follows."""
        ...

    def on_unwritable(self) -> None:
        """The socket takes nothing any more."""
        ...

    def on_uploaded(self) -> None:
        """The body is written whole."""
        ...

    def on_upload_failed(self, error: BaseException) -> None:
        """The source raised ``error``, or belied its length."""
        ...


class Upload:
    """``waiting_for_source`` is true while the next piece is the client's to send: that time is not
    the upstream's. ``has_read`` is true once the source has given something. While a relay takes
    the body, the upload is its `RelaySink`.
    """

    __slots__ = (
        "_content_length",
        "_ended",
        "_owner",
        "_relay",
        "_relayable",
        "_relayed",
        "_source",
        "_task",
        "_writable",
        "has_read",
        "waiting_for_source",
    )

    def __init__(
        self,
        owner: UploadOwner,
        source: BodySource,
        content_length: int | None,
        loop: asyncio.AbstractEventLoop,
        relayable: RelayableBody | None = None,
    ) -> None:
        """``relayable`` is the source, if a relay may take its rest."""
        self._owner = owner
        self._source = source
        self._relayable = relayable
        self._relay: Relay | None = None
        self._relayed = 0
        self._content_length = content_length
        self._writable: asyncio.Future[None] | None = None
        self._ended = False
        self.has_read = False
        self.waiting_for_source = True
        self._task = loop.create_task(self._run())

    def cancel(self) -> None:
        """Stop; the owner hears nothing more."""
        if not self._ended:
            self._ended = True
            if self._relay is not None:
                # At once: what is read from here on is not the upstream's.
                self._relay.stop()
            self._task.cancel()

    def resume(self) -> None:
        """The other side takes more."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    async def emptied(self) -> int:
        """Part of `RelaySink`."""
        descriptor = await self._owner.emptied()
        self.waiting_for_source = True
        return descriptor

    def relayed(self, size: int) -> None:
        """Part of `RelaySink`."""
        self._relayed += size
        self._owner.on_relayed()
        if self._relayable is not None:
            self._relayable.on_relayed(size)

    def block(self, blocked: bool) -> None:
        """Part of `RelaySink`."""
        self.waiting_for_source = not blocked

    def break_off(self) -> None:
        """Part of `RelaySink`."""
        self._owner.on_unwritable()

    async def _run(self) -> None:
        try:
            await self._copy()
        except BaseException as error:
            # The reader of the response gets the source's error. Our own cancel() has set `_ended`.
            if not self._ended:
                self._ended = True
                self._owner.on_upload_failed(error)
            elif not isinstance(error, (Exception, asyncio.CancelledError)):
                raise
        else:
            if not self._ended:
                self._ended = True
                self._owner.on_uploaded()

    async def _copy(self) -> None:
        owner, source = self._owner, self._source
        left = self._content_length
        while True:
            self.waiting_for_source = True
            data = await source.read()
            self.waiting_for_source = False
            self.has_read = True
            if self._ended:
                return
            if not data:
                break
            if left is not None:
                left -= len(data)
                if left < 0:
                    raise ClientError("the request body is longer than its Content-Length")
            owner.send_piece(data)
            while owner.write_paused and not self._ended:
                self._writable = asyncio.get_running_loop().create_future()
                await self._writable
            if left is not None and self._relayable is not None:
                await self._try_relay(self._relayable)
                left -= self._relayed
                self._relayed = 0
        if left:
            raise ClientError("the request body is shorter than its Content-Length")
        owner.send_end(source.trailers)

    async def _try_relay(self, body: RelayableBody) -> None:
        """Have a relay take what it can of the rest, if that is long enough."""
        source = body.relay_source()
        if source is None or source.relayable() < LEAST:
            return
        relay = self._relay = Relay(source, self)
        try:
            await relay.run()
        finally:
            self._relay = None
