"""One instance of a guest in a store of its own: started, configured, called."""

from __future__ import annotations

from dataclasses import dataclass

from wasmtime import Func, InstancePre, Memory, Trap, WasmtimeError

from sentinel_host.abi.contract import CONFIGURE, HOOKS, Hook
from sentinel_host.errors import GuestError, GuestProtocolError, GuestTrap
from sentinel_host.native.guest import (
    CallFailed,
    Failure,
    NativeGuest,
    Returns,
    Shape,
    last_line,
    trap_frames,
    trap_reason,
)
from sentinel_host.sandbox.check import CheckedGuest
from sentinel_host.sandbox.engine import GuestEngine
from sentinel_host.sandbox.limits import Limits
from sentinel_host.sandbox.text import one_line

SLOTS = {hook: index for index, hook in enumerate(HOOKS)}
"""A hook's number on the native side."""

# Not a hook of the contract, but called like one.
_INITIALIZE = len(HOOKS)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What instances of one guest are made from."""

    name: str
    engine: GuestEngine
    module: InstancePre
    checked: CheckedGuest
    limits: Limits


def start(blueprint: Blueprint, config: bytes) -> NativeGuest:
    """Make an instance: run its start function, ``_initialize`` and ``configure``.

    Raises `GuestTrap` or `GuestProtocolError`, the latter also for a configuration that the guest refuses.
    """
    name = blueprint.name
    log = blueprint.engine.log
    store = blueprint.engine.new_store(blueprint.limits)
    native = NativeGuest(store, log.buffer, log.id_of(name), log.next_calls(), blueprint.limits.result)
    try:
        exports = blueprint.module.instantiate(store).exports(store)
    except Trap as trap:
        raise GuestTrap(name, "start", one_line(trap_reason(trap)), trap_frames(trap)) from None
    except WasmtimeError as error:
        raise GuestProtocolError(name, "start", one_line(last_line(str(error)))) from None

    def function(export: str) -> Func:
        found = exports[export]
        assert isinstance(found, Func)
        return found

    memory = exports["memory"]
    assert isinstance(memory, Memory)
    native.bind(memory, function("cabi_realloc"))
    configures = False
    for checked in blueprint.checked.hooks:
        post = None if checked.post is None else function(checked.post)
        native.bind_hook(SLOTS[checked.hook], _shape(checked.hook), function(checked.export), post)
        configures = configures or checked.hook is CONFIGURE
    what = "_initialize"
    try:
        if blueprint.checked.has_initialize:
            native.bind_hook(_INITIALIZE, Shape(0, False, Returns.NOTHING), function("_initialize"), None)
            native.call(_INITIALIZE)
        if configures:
            what = CONFIGURE.name
            native.call(SLOTS[CONFIGURE], config)
    except CallFailed as failed:
        raise guest_error(name, what, failed) from None
    return native


def guest_error(name: str, hook: str, failed: CallFailed) -> GuestError:
    """The typed error for a failed call of ``hook``."""
    reason = one_line(failed.reason)
    if failed.trapped:
        return GuestTrap(name, hook, reason, failed.frames)
    if failed.failure is Failure.REFUSED:
        reason = f"refused its configuration: {reason}"
    return GuestProtocolError(name, hook, reason)


def _shape(hook: Hook) -> Shape:
    """How the canonical ABI lays out a hook: two parameters a list, and a fifth for the bool of a chunk."""
    if not hook.results:
        returns = Returns.NOTHING
    elif hook is CONFIGURE:
        returns = Returns.OUTCOME
    else:
        returns = Returns.LIST
    return Shape(len(hook.params) // 2, len(hook.params) % 2 == 1, returns)
