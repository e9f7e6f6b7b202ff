"""What `sentinel dev` tells of bodies: no gateway, and guests that are plain Python."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from sentinel_host.authoring.observed_body import ObservedBody
from sentinel_host.errors import GuestError, GuestTrap
from sentinel_host.messages import Edit, HeldRequest, HeldResponse, RequestEdits, Response, ResponseEdits
from sentinel_host.pipeline.middleware import BodyAction


class Scripted:
    """Answers chunk after chunk what it was told to.
    `sentinel_host.pipeline.middleware.BodyHook`.
    """

    def __init__(self, actions: list[BodyAction | None], waits: bool) -> None:
        self._actions = iter(actions)
        self._waits = waits
        self.is_closed = False

    def on_chunk(self, chunk: bytes, last: bool) -> BodyAction | Awaitable[BodyAction | None] | None:
        action = next(self._actions)
        return self._later(action) if self._waits else action

    async def _later(self, action: BodyAction | None) -> BodyAction | None:
        await asyncio.sleep(0)
        return action

    def close(self) -> None:
        self.is_closed = True

    def broke(self, reason: str) -> GuestError:
        return GuestTrap("scripted", "on-request-chunk", reason)


CASES: list[tuple[list[BodyAction | None], list[str]]] = [
    ([None, None], []),
    ([b"abcd"], []),
    ([b""], ["replaces a chunk of the response's body: 4 bytes become 0"]),
    ([b"x" * 2000, None, b"abc"], ["replaces 2 chunks of the response's body: 8 bytes become 2,003"]),
    ([Response(422, [(b"a", b"b")], b"no")], ["answers 422, 2 bytes", "  a: b"]),
    (
        [HeldRequest(RequestEdits([(Edit.SET, b"a", b"b")], path="/c"), b"12")],
        ["sets a: b", "path: /c", "replaces a chunk of the response's body: 4 bytes become 2"],
    ),
    ([HeldResponse(ResponseEdits(status=201)), b"1"], ["response: status 201", "replaces a chunk"]),
]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(("actions", "told"), CASES)
def test_what_a_guest_makes_of_a_body_is_told(actions: list[BodyAction | None], told: list[str], waits: bool) -> None:
    lines: list[str] = []
    hook = Scripted(actions, waits)
    observed = ObservedBody(hook, "response", lambda: lines)

    async def take() -> list[BodyAction | None]:
        answers = [observed.on_chunk(b"abcd", False) for _ in actions]
        return [await answer if isinstance(answer, Awaitable) else answer for answer in answers]

    assert asyncio.run(take()) == actions
    assert len(lines) == len(told)
    assert all(line.startswith(beginning) for line, beginning in zip(lines, told, strict=True)), lines
    observed.close()
    assert hook.is_closed
    assert "reason" in str(observed.broke("reason"))


def test_the_line_of_a_stream_stays_in_its_place() -> None:
    lines: list[str] = []
    observed = ObservedBody(Scripted([b"1", b"2"], waits=False), "request", lambda: lines)
    observed.on_chunk(b"abcd", False)
    lines.append("of another hook")
    observed.on_chunk(b"abcd", True)
    assert lines == ["replaces 2 chunks of the request's body: 8 bytes become 2", "of another hook"]
