"""What a guest makes of one body, told in lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sentinel_host.authoring.edits import answer_lines, request_lines, response_lines
from sentinel_host.errors import GuestError
from sentinel_host.messages import HeldRequest, HeldResponse, Response
from sentinel_host.pipeline.middleware import BodyAction, BodyHook


class ObservedBody:
    """In the place of ``hook``. `sentinel_host.pipeline.middleware.BodyHook`.

    ``what`` is ``request`` or ``response``. ``lines`` returns the list that the lines go to; it is
    called while the exchange lasts. All chunks that a guest replaces share one line, which changes
    with each of them.
    """

    def __init__(self, hook: BodyHook, what: str, lines: Callable[[], list[str]]) -> None:
        self._hook = hook
        self._what = what
        self._lines = lines
        self._shared: tuple[list[str], int] | None = None
        self._chunks = 0
        self._before = 0
        self._after = 0

    def on_chunk(self, chunk: bytes, last: bool) -> BodyAction | Awaitable[BodyAction | None] | None:
        """The guest's own."""
        action = self._hook.on_chunk(chunk, last)
        if isinstance(action, Awaitable):
            return self._later(chunk, action)
        self._tell(chunk, action)
        return action

    def close(self) -> None:
        """The guest's own."""
        self._hook.close()

    def broke(self, reason: str) -> GuestError:
        """The guest's own."""
        return self._hook.broke(reason)

    async def _later(self, chunk: bytes, action: Awaitable[BodyAction | None]) -> BodyAction | None:
        found = await action
        self._tell(chunk, found)
        return found

    def _tell(self, chunk: bytes, action: BodyAction | None) -> None:
        match action:
            case bytes():
                self._replace(chunk, action)
            case Response():
                self._lines().extend(answer_lines(action))
            case HeldRequest():
                self._lines().extend(request_lines(action.edits))
                self._replace(chunk, action.chunk)
            case HeldResponse():
                self._lines().extend(response_lines(action.edits))
                self._replace(chunk, action.chunk)

    def _replace(self, chunk: bytes, sent: bytes | None) -> None:
        if sent is None or sent == chunk:
            return
        if self._shared is None:
            lines = self._lines()
            self._shared = lines, len(lines)
            lines.append("")
        self._chunks += 1
        self._before += len(chunk)
        self._after += len(sent)
        chunks = "a chunk" if self._chunks == 1 else f"{self._chunks:,} chunks"
        lines, place = self._shared
        lines[place] = f"replaces {chunks} of the {self._what}'s body: {self._before:,} bytes become {self._after:,}"
