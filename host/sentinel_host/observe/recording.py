"""A record in the making."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Final

from sentinel_host.native.trail import TrailCall
from sentinel_host.observe.record import GuestLine, HookRecord, RequestRecord, StageRecord, TryRecord
from sentinel_host.sandbox.instance import SLOTS

_HOOKS: Final = {slot: hook.name for hook, slot in SLOTS.items()}
# Of one request; more are left out.
_MOST_HOOKS: Final = 128
_MOST_LINES: Final = 128
_MOST_TRIES: Final = 32


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

    def begin_hook(self, guest: str, hook: str) -> HookRecord:
        """A hook is called now."""
        made = HookRecord(guest, "", hook, self._at(perf_counter_ns()))
        if len(self.record.hooks) < _MOST_HOOKS:
            self.record.hooks.append(made)
        return made

    def add_tries(self, tries: list[tuple[str, int, int, int, str]]) -> None:
        """How endpoints were asked: each with when by the performance counter, the status, and the
        kind of error.
        """
        for endpoint, began, ended, status, error in tries[:_MOST_TRIES]:
            self.record.tries.append(TryRecord(endpoint, self._at(began), (ended - began) // 1000, status, error))

    def add_line(self, line: GuestLine) -> None:
        """A guest has logged it."""
        if len(self.record.lines) < _MOST_LINES:
            self.record.lines.append(line)

    def add_calls(self, calls: list[TrailCall]) -> None:
        """What the trail knows of the request's calls; hooks that nobody noted are added from
        it.
        """
        waiting: dict[tuple[str, str], list[HookRecord]] = {}
        left: dict[int, int] = {}
        for hook in self.record.hooks:
            waiting.setdefault((hook.guest, hook.hook), []).append(hook)
            left[id(hook)] = hook.calls
        for call in calls:
            name = _HOOKS.get(call.slot, "")
            found = waiting.get((call.guest, name))
            if found:
                hook = found[0]
                left[id(hook)] -= 1
                if left[id(hook)] <= 0:
                    found.pop(0)
            elif len(self.record.hooks) < _MOST_HOOKS and not self.record.is_whole:
                hook = HookRecord(call.guest, call.version, name, self._at(call.began))
                hook.duration = (call.ended - call.began) // 1000
                if call.result < 0:
                    hook.outcome = "failed"
                elif call.result:
                    hook.outcome = "edited"
                self.record.hooks.append(hook)
            else:
                continue
            hook.version = call.version
            hook.running += call.running
            hook.taken += call.taken
            hook.given += max(0, call.result)

    def _at(self, moment: int) -> int:
        return max(0, (moment - self.started) // 1000)
