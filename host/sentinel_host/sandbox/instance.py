"""What instances of a guest are made from, making one, and its failures as typed errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from wasmtime import InstancePre

from sentinel_host.abi.contract import ARGUMENT_AREA, CONFIGURE, HOOKS, NEEDED_HOOKS, Hook
from sentinel_host.errors import GuestBusy, GuestError, GuestProtocolError, GuestTimeout, GuestTrap
from sentinel_host.native.failure import CallFailed, Failure, Phase, WasmFrame
from sentinel_host.native.guest import NativeGuest
from sentinel_host.native.log import LogBuffer
from sentinel_host.native.plan import (
    SLOT_ARGUMENT_AREA,
    SLOT_CONFIGURE,
    SLOT_INITIALIZE,
    SLOT_NEEDED_HOOKS,
    CallLimits,
    Export,
    Plan,
    Returns,
    Shape,
)
from sentinel_host.sandbox.check import CheckedGuest
from sentinel_host.sandbox.engine import GuestEngine
from sentinel_host.sandbox.grants import NONE, Grants
from sentinel_host.sandbox.limits import Limits
from sentinel_host.sandbox.lines import NO_LINES, LineTable
from sentinel_host.sandbox.probation import Health
from sentinel_host.sandbox.text import one_line

SLOTS = {hook: index for index, hook in enumerate(HOOKS)}
"""A hook's number on the native side."""

assert SLOTS[CONFIGURE] == SLOT_CONFIGURE
assert len(HOOKS) <= SLOT_NEEDED_HOOKS

_STEPS = {
    Phase.STARTING: "start",
    Phase.INITIALIZING: "_initialize",
    Phase.CONFIGURING: CONFIGURE.name,
    Phase.SELECTING: NEEDED_HOOKS,
    Phase.LENDING: ARGUMENT_AREA,
}

# The engine keeps some twenty, of which inlined calls make more; a guest of deep recursion and long
# names must not make long log lines.
_FRAMES = 64


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What instances of one guest are made from; ``version`` is the digest of its file."""

    name: str
    engine: GuestEngine
    module: InstancePre
    checked: CheckedGuest
    limits: Limits
    grants: Grants = NONE
    lines: LineTable = NO_LINES
    health: Health = field(default_factory=Health, compare=False)
    version: str = ""

    def new_plan(self, test_log: LogBuffer | None = None) -> Plan:
        """The native side of it, for one configuration, or with ``test_log`` for the self-test."""
        exports = {
            SLOTS[checked.hook]: Export(checked.export, checked.post, _shape(checked.hook))
            for checked in self.checked.hooks
        }
        if self.checked.has_initialize:
            exports[SLOT_INITIALIZE] = Export("_initialize", None, Shape(0, False, Returns.NOTHING))
        if self.checked.has_needed_hooks:
            exports[SLOT_NEEDED_HOOKS] = Export(NEEDED_HOOKS, None, Shape(0, False, Returns.NUMBER))
        if self.checked.has_argument_area:
            exports[SLOT_ARGUMENT_AREA] = Export(ARGUMENT_AREA, None, Shape(0, False, Returns.AREA))
        limits = self.limits
        return self.engine.new_plan(
            self.name,
            self.module,
            exports,
            CallLimits(
                memory=limits.memory,
                table_elements=limits.table_elements,
                tables=limits.tables,
                result=limits.result,
                lines=limits.lines,
                level=limits.log_level,
                deadline=int(limits.deadline * 1e9),
                start_deadline=int(limits.start_deadline * 1e9),
                retire_calls=limits.retire_calls,
                high_water=int(limits.memory * limits.high_water_share),
                high_calls=limits.high_water_calls,
            ),
            self.grants,
            test_log,
            self.version,
        )


def step_of(instance: NativeGuest) -> str:
    """The step of starting that an instance is in, as errors name it."""
    return _STEPS[instance.phase]


def behind_error(name: str, hook: str, deadline: float) -> GuestTimeout:
    """The typed error for a call that fell behind; ``deadline`` is seconds."""
    return GuestTimeout(
        name, hook, f"did not end in time beside the worker's other work, with a deadline of {deadline * 1000:g} ms"
    )


def guest_error(blueprint: Blueprint, hook: str, failed: CallFailed, deadline: float) -> GuestError:
    """The typed error for a failed call of ``hook``, or for a step of starting; ``deadline`` is
    seconds.
    """
    hook = _STEPS.get(failed.phase, hook)
    reason = one_line(failed.reason)
    name = blueprint.name
    frames = tuple(islice(_described(failed.frames, blueprint.lines), _FRAMES))
    if failed.timed_out:
        return GuestTimeout(name, hook, f"{reason}, {deadline * 1000:g} ms of running time", frames)
    if failed.trapped:
        return GuestTrap(name, hook, reason, frames)
    if failed.failure is Failure.NO_MEMORY:
        return GuestBusy(name, reason, hook)
    if failed.failure is Failure.REFUSED:
        reason = f"refused its configuration: {reason}"
    return GuestProtocolError(name, hook, reason)


def _described(frames: tuple[WasmFrame, ...], lines: LineTable) -> Iterator[str]:
    for frame in frames:
        yield from map(one_line, lines.describe(frame.name, frame.offset))


def _shape(hook: Hook) -> Shape:
    """How the canonical ABI lays out a hook: two parameters a list, and a fifth for the bool of a
    chunk.
    """
    if not hook.results:
        returns = Returns.NOTHING
    elif hook is CONFIGURE:
        returns = Returns.OUTCOME
    else:
        returns = Returns.LIST
    return Shape(len(hook.params) // 2, len(hook.params) % 2 == 1, returns)
