"""A coroutine that is run for as long as it does not have to wait, and finished later if it
does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Started(Generic[T]):
    """Runs ``awaitable`` until it waits or ends. ``is_over`` says which, and ``result`` is then
    what it returned; otherwise it is to be awaited, once, by any task of the same loop.

    Raises what the coroutine raises.
    """

    def __init__(self, awaitable: Awaitable[T]) -> None:
        # Compiled coroutines are no `Coroutine` by their class.
        self._rest: Any = awaitable if hasattr(awaitable, "send") else _awaiting(awaitable)
        self._waits_for: Any = None
        self.is_over = False
        self.result: T | None = None
        try:
            self._waits_for = self._rest.send(None)
        except StopIteration as stop:
            self.is_over = True
            self.result = stop.value

    def __await__(self) -> Generator[Any, Any, T]:
        rest, waits_for = self._rest, self._waits_for
        while True:
            error: BaseException | None = None
            value: Any = None
            try:
                value = yield waits_for
            except BaseException as thrown:
                error = thrown
            try:
                waits_for = rest.send(value) if error is None else rest.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable
