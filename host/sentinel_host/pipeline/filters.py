"""A body on its way through the guests that asked for it.

Rule 1: guests see a body in the order of the heads: requests in the order of the chain, responses
        in reverse.
Rule 2: a guest that buffers gets the body in one piece, and so do the guests after it. The head
        waits meanwhile.
Rule 3: before the head is sent, a failure has the same effect as a head hook's: 503, or the
        exchange goes on without the guest. It is always 503 if the guest has already changed the
        body, which would be half its work.
Rule 4: after the head is sent, a failure aborts the exchange, whatever ``on_failure`` says.
Rule 5: a filter keeps no more than one chunk, or what its guest asked for.
Rule 6: a guest of a stream gets at most `MOST_AT_ONCE` bytes in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sentinel_host.errors import GuestError, SentinelError
from sentinel_host.messages import (
    BodyKind,
    BodyMode,
    HeldRequest,
    HeldResponse,
    Origin,
    Response,
    ResponseHead,
)
from sentinel_host.pipeline.failures import Refusal, is_skipped, report
from sentinel_host.pipeline.middleware import BodyHook, Middleware

# wit/ABI.md, section 2. A call's running time is bounded, so its work has to be: sockets deliver up
# to 256 KiB at once.
MOST_AT_ONCE: Final = 65536

# A tuple, because a union would be made anew at each test.
_ACTIONS = (bytes, Response, HeldRequest, HeldResponse)


class LocalReply(Exception):
    """Send this response instead of the message that the body belongs to, whose head has not been
    sent.
    """

    def __init__(self, head: ResponseHead, body: bytes) -> None:
        super().__init__()
        self.head = head
        self.body = body


class BodyFilter:
    """One guest's part in one body; ``place`` is the guest's in the chain."""

    __slots__ = ("guest", "has_changed", "hook", "limit", "parts", "place", "size")

    def __init__(self, place: int, guest: Middleware, mode: BodyMode, hook: BodyHook) -> None:
        self.place = place
        self.guest = guest
        self.hook = hook
        self.limit = mode.limit if mode.kind is BodyKind.BUFFER else None
        self.parts: list[bytes] = []
        self.size = 0
        self.has_changed = False


class BodyFilterChain:
    """The filters of one body, in order; to be closed when the exchange ends.

    The sender of the head sets ``is_out`` before it sends. ``edit`` applies a guest's changes to
    the held head, ``stop`` is told the place of a guest that ended the chain, and ``too_large``
    makes the error for a body beyond what a guest takes.
    """

    __slots__ = ("_edit", "_filters", "_refuse", "_request_id", "_stop", "_too_large", "is_out")

    def __init__(
        self,
        filters: list[BodyFilter],
        request_id: bytes,
        refuse: Refusal,
        edit: Callable[[Any], None],
        stop: Callable[[int], None],
        too_large: Callable[[str, int], SentinelError],
    ) -> None:
        self._filters = filters
        self._request_id = request_id
        self._refuse = refuse
        self._edit = edit
        self._stop = stop
        self._too_large = too_large
        self.is_out = False

    @property
    def holds(self) -> bool:
        """Whether a guest buffers, so that nothing comes out before the end."""
        return any(body_filter.limit is not None for body_filter in self._filters)

    def expect(self, length: int | None) -> None:
        """Refuse a declared length that is too large before any of it is read."""
        first = self._filters[0]
        if length is not None and first.limit is not None and length > first.limit:
            raise self._refuse_size(first, first.limit)

    async def push(self, data: bytes, last: bool) -> bytes:
        """What comes out for the next piece, perhaps nothing; ``last`` exactly once, perhaps with
        an empty piece.

        Raises `LocalReply` while the head is held, `GuestError` after it has gone out, and what
        ``too_large`` makes.
        """
        for body_filter in self._filters:
            if body_filter.limit is not None:
                body_filter.size += len(data)
                if body_filter.size > body_filter.limit:
                    raise self._refuse_size(body_filter, body_filter.limit)
                if not last:
                    if data:
                        body_filter.parts.append(data)
                    return b""
                if body_filter.parts:
                    body_filter.parts.append(data)
                    data = b"".join(body_filter.parts)
                    body_filter.parts.clear()
            elif not data and not last:
                return b""
            elif len(data) > MOST_AT_ONCE:
                data = await self._push_in_pieces(body_filter, data, last)
                continue
            try:
                action: Any = body_filter.hook.on_chunk(data, last)
                if action is not None and not isinstance(action, _ACTIONS):
                    action = await action
                if action is not None:
                    data = self._apply(body_filter, action, data)
            except GuestError as error:
                self._fail(body_filter, error)
        return data

    async def whole(self, body: bytes) -> bytes:
        """What comes out for a body that is there whole; raises as `push`."""
        self.expect(len(body))
        return await self.push(body, True)

    def close(self) -> None:
        """The exchange is over."""
        for body_filter in self._filters:
            body_filter.hook.close()

    async def _push_in_pieces(self, body_filter: BodyFilter, data: bytes, last: bool) -> bytes:
        """What comes out of one filter for a piece that is too large for one call."""
        out: list[bytes] = []
        for start in range(0, len(data), MOST_AT_ONCE):
            end = start + MOST_AT_ONCE
            piece = data[start:end]
            try:
                action: Any = body_filter.hook.on_chunk(piece, last and end >= len(data))
                if action is not None and not isinstance(action, _ACTIONS):
                    action = await action
                out.append(piece if action is None else self._apply(body_filter, action, piece))
            except GuestError as error:
                self._fail(body_filter, error)
                # The guest is skipped, so it has changed nothing.
                return data
        return b"".join(out)

    def _apply(self, body_filter: BodyFilter, action: Any, data: bytes) -> bytes:
        if type(action) is bytes:
            body_filter.has_changed = True
            return action
        if isinstance(action, Response):
            if self.is_out:
                raise body_filter.hook.broke("answers, but the head has gone out")
            self._stop(body_filter.place)
            raise LocalReply(ResponseHead(action.status, action.headers, Origin.GUEST), action.body)
        if body_filter.limit is None:
            raise body_filter.hook.broke("edits the head of a body that is not buffered")
        self._edit(action.edits)
        return data if action.chunk is None else action.chunk

    def _refuse_size(self, body_filter: BodyFilter, limit: int) -> SentinelError:
        # The refusal is not for a guest that would find it too large again.
        self._stop(body_filter.place)
        return self._too_large(body_filter.guest.name, limit)

    def _fail(self, body_filter: BodyFilter, error: GuestError) -> None:
        """Go on without the guest where that is allowed, else raise what ends the exchange."""
        report(error, self._request_id)
        body_filter.hook.close()
        if not self.is_out and not body_filter.has_changed and is_skipped(body_filter.guest, error):
            # A new list: the one before is being gone through.
            self._filters = [other for other in self._filters if other is not body_filter]
            return
        self._stop(body_filter.place)
        if self.is_out:
            raise error
        response = self._refuse(error)
        raise LocalReply(ResponseHead(response.status, response.headers, Origin.GATEWAY), response.body) from None
