"""What the instances of one guest share on the native side: the ticker, a plan, and the guest's
counts.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

from wasmtime import Engine, InstancePre, Linker

from sentinel_host.kv import SharedStore
from sentinel_host.native._native import ffi, lib
from sentinel_host.native.call_loop import CallLoop
from sentinel_host.native.capi import ENGINE_TABLE
from sentinel_host.native.log import LogBuffer
from sentinel_host.native.metrics import Metrics
from sentinel_host.native.stand_ins import StandIns
from sentinel_host.native.trail import Trail

if TYPE_CHECKING:
    from sentinel_host.native._native import CountersHandle

SLOT_CONFIGURE = lib.SNT_SLOT_CONFIGURE
"""The hook slot that starting an instance calls with the configuration."""

SLOT_INITIALIZE = lib.SNT_SLOT_INITIALIZE
"""The hook slot that starting an instance calls before that."""

SLOT_NEEDED_HOOKS = lib.SNT_SLOT_NEEDED_HOOKS
"""The hook slot that starting an instance calls after it."""

SLOT_ARGUMENT_AREA = lib.SNT_SLOT_ARGUMENT_AREA
"""The hook slot that starting an instance calls last."""


class Returns(enum.IntEnum):
    """What a hook returns, as the C numbers it."""

    NOTHING = lib.SNT_RETURNS_NOTHING
    LIST = lib.SNT_RETURNS_LIST
    OUTCOME = lib.SNT_RETURNS_OUTCOME
    NUMBER = lib.SNT_RETURNS_NUMBER
    AREA = lib.SNT_RETURNS_AREA


@dataclass(frozen=True, slots=True)
class Shape:
    """A hook's parameters and result: ``lists`` byte lists, with ``flag`` a bool behind the
    first.
    """

    lists: int
    flag: bool
    returns: Returns


@dataclass(frozen=True, slots=True)
class Export:
    """A hook's name and shape, and the name of its post-return, if any: all checked for their exact
    core types.
    """

    name: str
    post: str | None
    shape: Shape


@dataclass(frozen=True, slots=True)
class CallLimits:
    """``snt_limits`` of host/native/src/plan.h: bytes, counts, and nanoseconds of the guest's own
    running time.
    """

    memory: int
    table_elements: int
    tables: int
    result: int
    lines: int
    level: int
    deadline: int
    start_deadline: int
    retire_calls: int
    high_water: int
    high_calls: int


@dataclass(frozen=True, slots=True)
class StoreSpace:
    """A guest's part of the store that all workers share, at most ``quota`` bytes.

    Its keys run out by the clock of ``stand_ins``, if it has some.
    """

    store: SharedStore
    space: int
    quota: int
    stand_ins: StandIns | None = None


Fetch: TypeAlias = Callable[[bytes, str], Awaitable[tuple[int, bytes]]]
"""Sends a request, as the guest wrote it, for the call with this label; answers with the case of
``http-client.error``, or -1 and the response's bytes. It raises nothing but what cancels it.
"""


@dataclass(frozen=True, slots=True)
class OutboundCalls:
    """How calls of hooks make outbound requests: ``linker`` has `define_wait`'s function.

    A hook may ask ``calls`` times, with requests of ``request_bytes`` at most.
    """

    linker: Linker
    fetch: Fetch
    calls: int
    request_bytes: int


class Ticker:
    """Advances an engine's epoch while guests run; the engine must have epoch interruption on."""

    __slots__ = ("handle",)

    def __init__(self, engine: Engine) -> None:
        handle = lib.snt_ticker_new(ENGINE_TABLE, address(engine))
        if handle == ffi.NULL:
            raise MemoryError
        self.handle = ffi.gc(handle, lib.snt_ticker_free)


class Counters:
    """Counts of one guest over all its instances, kept by the C as it calls them; they live as long
    as the process.
    """

    __slots__ = ("_counts", "handle")

    def __init__(self) -> None:
        self.handle: CountersHandle = lib.snt_counters_new()
        if self.handle == ffi.NULL:
            raise MemoryError
        self._counts = self.handle

    @property
    def calls(self) -> int:
        """Calls of hooks."""
        return self._counts.calls

    @property
    def suspensions(self) -> int:
        """How often a call was left at a tick, to be gone on with."""
        return self._counts.suspensions

    @property
    def cpu_ns(self) -> int:
        """Running time, in nanoseconds."""
        return self._counts.cpu_ns

    @property
    def lines_cut(self) -> int:
        """Log lines beyond what one call may write."""
        return self._counts.lines_cut

    @property
    def kv_calls(self) -> int:
        """Calls of the store."""
        return self._counts.kv_calls

    @property
    def kv_full(self) -> int:
        """Those that found the guest's quota used up."""
        return self._counts.kv_full

    @property
    def kv_unavailable(self) -> int:
        """Those that did not get at the store in time."""
        return self._counts.kv_unavailable

    @property
    def started(self) -> int:
        """Instances that were begun."""
        return self._counts.started

    @property
    def instances(self) -> int:
        """Instances that exist."""
        return self._counts.instances

    @property
    def memory_bytes(self) -> int:
        """Linear memory of those, as of their last calls."""
        return self._counts.memory_bytes


class Plan:
    """What instances of one linked module are made by. ``exports`` go by slot; log lines carry the
    name ``guest``.

    Calls are noted in ``trail``, if there is one, as those of the guest's ``version``.
    """

    __slots__ = ("_kept", "handle", "outbound")

    def __init__(
        self,
        engine: Engine,
        ticker: Ticker,
        module: InstancePre,
        loop: CallLoop,
        exports: Mapping[int, Export],
        limits: CallLimits,
        counters: Counters,
        log: LogBuffer,
        guest: str,
        metrics: Metrics | None = None,
        kv: StoreSpace | None = None,
        outbound: OutboundCalls | None = None,
        trail: Trail | None = None,
        version: str = "",
    ) -> None:
        handle = lib.snt_plan_new(
            ENGINE_TABLE,
            ticker.handle,
            address(engine),
            address(module),
            address(loop.module),
            counters.handle,
            ffi.new("snt_limits *", asdict(limits)),
            guest.encode(),
        )
        if handle == ffi.NULL:
            raise MemoryError
        self.handle = ffi.gc(handle, lib.snt_plan_free)
        lib.snt_plan_log(handle, log.handle)
        if metrics is not None:
            lib.snt_plan_metrics(handle, metrics.handle)
        if kv is not None:
            lib.snt_plan_kv(handle, kv.store.address, kv.space, kv.quota)
            if kv.stand_ins is not None:
                lib.snt_plan_kv_clock(handle, kv.stand_ins.now)
        self.outbound = outbound
        if outbound is not None:
            lib.snt_plan_http(handle, address(outbound.linker), outbound.calls, outbound.request_bytes)
        if trail is not None:
            lib.snt_plan_trail(handle, trail.handle, trail.mark(guest, version))
        # The C borrows them.
        self._kept = (engine, module, loop, log, kv, outbound, trail)
        for slot, export in exports.items():
            post = ffi.NULL if export.post is None else export.post.encode()
            shape = export.shape
            if not lib.snt_plan_hook(handle, slot, shape.lists, shape.flag, shape.returns, export.name.encode(), post):
                raise ValueError(f"hook slot {slot}")

    @property
    def calls(self) -> int:
        """How many calls of hooks its instances have begun."""
        return lib.snt_plan_calls(self.handle)


def address(owner: Engine | InstancePre | Linker) -> int:
    """Where the engine's object is that a wrapper owns."""
    found = ctypes.cast(owner.ptr(), ctypes.c_void_p).value
    assert found is not None
    return found
