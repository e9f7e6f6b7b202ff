"""Runs a guest's self-test on instances of its own, so that a case that traps disturbs no request.

Cases are not counted, and their log lines are dropped. Those of a case that fails are kept, as they
explain why.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final

from sentinel_host.abi.contract import HOOKS
from sentinel_host.abi.encode import encode_config
from sentinel_host.abi.rules import AbiError
from sentinel_host.errors import GuestError, GuestLoadError
from sentinel_host.native.failure import CallFailed
from sentinel_host.native.guest import SUSPENDED, NativeGuest
from sentinel_host.native.log import LogBuffer
from sentinel_host.native.plan import Plan
from sentinel_host.sandbox.cases import Case
from sentinel_host.sandbox.instance import SLOTS, Blueprint, behind_error, guest_error, step_of
from sentinel_host.sandbox.runqueue import FellBehind
from sentinel_host.sandbox.text import one_line

_HOOKS = {hook.name: hook for hook in HOOKS}
_LABEL: Final = b"self-test"
# Seconds for all cases. Authors wait for them after each change.
_MOST_TIME: Final = 5.0
# Bytes that one case may log: eight of the longest lines.
_MOST_LINES: Final = 1 << 16


async def run_self_test(blueprint: Blueprint, cases: Sequence[Case], config: bytes, path: str) -> None:
    """Run the cases while the event loop goes on; ``config`` is for those that bring none, ``path``
    for errors.

    Raises `GuestLoadError` for the first that fails: its name, what was expected and what came.
    """

    if not cases:
        return
    lines = LogBuffer(_MOST_LINES)
    plan = blueprint.new_plan(lines)
    until = monotonic() + _MOST_TIME
    for case in cases:
        if monotonic() > until:
            raise GuestLoadError(f"{path}: self-test {one_line(case.name)!r}: {_MOST_TIME:g} s have passed before it")
        lines.drain()
        try:
            reason = await _try(blueprint, case, config, plan)
        except GuestError as error:
            reason = f"{error.hook}: {error.reason}"
        except AbiError as error:
            reason = one_line(str(error))
        if reason is not None:
            blueprint.engine.log.add(lines, _LABEL)
            raise GuestLoadError(f"{path}: self-test {one_line(case.name)!r}: {reason}")


async def _try(blueprint: Blueprint, case: Case, config: bytes, plan: Plan) -> str | None:
    """What is wrong, if anything is."""
    hook = _HOOKS[case.hook]
    if all(checked.hook is not hook for checked in blueprint.checked.hooks):
        return f"the guest exports no {case.hook}"
    limits, queue = blueprint.limits, blueprint.engine.queue
    instance = NativeGuest(plan)
    deadline = limits.start_deadline
    step = None
    try:
        if instance.start(config if case.config is None else encode_config(case.config)) is SUSPENDED:
            await queue.finish(instance, deadline)
        step, deadline = case.hook, limits.deadline
        answer = instance.call(SLOTS[hook], case.payload(), case.context.encode(), True, _LABEL)
        if answer is SUSPENDED:
            answer = await queue.finish(instance, deadline)
        return case.mismatch(answer, limits.answers)
    except CallFailed as failed:
        raise guest_error(blueprint, case.hook, failed, deadline) from None
    except FellBehind:
        raise behind_error(blueprint.name, step or step_of(instance), deadline) from None
    finally:
        instance.close()
