"""A record in the making."""

from __future__ import annotations

from typing import Final

from sentinel_host.messages import Headers
from sentinel_host.native.trail import TrailCall
from sentinel_host.observe.record import GuestLine, HookRecord, RequestRecord, StageRecord, TryRecord
from sentinel_host.sandbox.instance import SLOTS

_HOOKS: Final = {slot: hook.name for hook, slot in SLOTS.items()}
# Of one request; more are left out.
_MOST_HOOKS: Final = 128
_MOST_LINES: Final = 128
_MOST_TRIES: Final = 32
# Of a gRPC status, whose largest is 16.
_MOST_DIGITS: Final = 3


class Recording:
    """What is noted while a request is served that began at ``started``, by the performance
    counter.

    ``open`` counts calls of guests that have not ended, which may go on when the request
    ``is_over``.
    """

    __slots__ = ("is_over", "open", "record", "started")

    def __init__(self, record: RequestRecord, started: int) -> None:
        self.record = record
        self.started = started
        self.open = 0
        self.is_over = False

    def add_stage(self, name: str, began: int, ended: int) -> None:
        """A stage is over."""
        self.record.stages.append(StageRecord(name, self._at(began), (ended - began) // 1000))

    def begin_hook(self, guest: str, hook: str, began: int) -> HookRecord:
        """A hook has been called then, by the performance counter."""
        made = HookRecord(guest, "", hook, self._at(began))
        if len(self.record.hooks) < _MOST_HOOKS:
            self.record.hooks.append(made)
        return made

    def add_tries(self, tries: list[tuple[str, int, int, int, str]]) -> None:
        """How endpoints were asked: each with when by the performance counter, the status, and the
        kind of error.
        """
        for endpoint, began, ended, status, error in tries[:_MOST_TRIES]:
            self.record.tries.append(TryRecord(endpoint, self._at(began), (ended - began) // 1000, status, error))

    def add_grpc_status(self, fields: Headers) -> None:
        """Of a call whose head or trailers these are, if they say how it ended."""
        for name, value in fields:
            if name == b"grpc-status" and value.isdigit() and len(value) <= _MOST_DIGITS:
                self.record.grpc_status = int(value)

    def add_line(self, line: GuestLine) -> None:
        """A guest has logged it."""
        if len(self.record.lines) < _MOST_LINES:
            self.record.lines.append(line)

    def add_calls(self, calls: list[TrailCall]) -> None:
        """What the trail knows of the request's calls; hooks that nobody noted are added from
        it.
        """
        hooks = self.record.hooks
        # How many calls of each hook that was noted are still to be found. Hooks end about in the
        # order in which they begin.
        left = [hook.calls for hook in hooks]
        noted, at = len(left), 0
        for call in calls:
            name = _HOOKS.get(call.slot, "")
            found: HookRecord | None = None
            for offset in range(noted):
                index = (at + offset) % noted
                hook = hooks[index]
                if left[index] > 0 and hook.hook == name and hook.guest == call.guest:
                    found = hook
                    left[index] -= 1
                    at = index
                    break
            if found is None:
                if self.record.is_whole or len(hooks) >= _MOST_HOOKS:
                    continue
                found = HookRecord(call.guest, call.version, name, self._at(call.began))
                found.duration = (call.ended - call.began) // 1000
                if call.result < 0:
                    found.outcome = "failed"
                elif call.result:
                    found.outcome = "edited"
                hooks.append(found)
            found.version = call.version
            found.running += call.running
            found.taken += call.taken
            if call.result > 0:
                found.given += call.result

    def _at(self, moment: int) -> int:
        return max(0, (moment - self.started) // 1000)
