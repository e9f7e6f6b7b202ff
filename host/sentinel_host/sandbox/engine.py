"""The WebAssembly engine of one worker: how it is configured, and what its guests can import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic

from wasmtime import Engine, InstancePre, Linker, Module, WasmtimeError

from sentinel_host.abi.contract import IMPORTS, PACKAGE, VERSION
from sentinel_host.errors import GuestLoadError
from sentinel_host.kv import SharedStore
from sentinel_host.kv.store import DEFAULT_BYTES
from sentinel_host.native.call_loop import CallLoop
from sentinel_host.native.failure import last_line, without_addresses
from sentinel_host.native.imports import define, define_wait, host_functions
from sentinel_host.native.log import LogBuffer
from sentinel_host.native.metrics import Description, Series
from sentinel_host.native.plan import CallLimits, Export, OutboundCalls, Plan, StoreSpace, Ticker
from sentinel_host.native.stand_ins import StandIns
from sentinel_host.native.trail import Trail
from sentinel_host.sandbox.artefact import Artefact
from sentinel_host.sandbox.check import CheckedGuest, check, surface_of
from sentinel_host.sandbox.compiled import CompiledGuest, compile_module, loop_code
from sentinel_host.sandbox.grants import Grants, HttpGrant
from sentinel_host.sandbox.logs import GuestLog
from sentinel_host.sandbox.runqueue import RunQueue
from sentinel_host.sandbox.settings import address_space, engine_config
from sentinel_host.sandbox.stats import GuestStats
from sentinel_host.sandbox.text import one_line


class GuestEngine:
    """Compiles and links guests; one per worker, shared by all of them, together with the log that
    they write to.

    ``kv`` holds the keys of guests that are granted some; without one, one of this worker's own is
    made when needed. ``clock`` tells seconds: by it guests in quarantine are tried again. ``queue``
    goes on with suspended calls. ``stand_ins`` are what guests under test import.
    """

    def __init__(
        self,
        kv: SharedStore | None = None,
        *,
        clock: Callable[[], float] = monotonic,
        queue: RunQueue | None = None,
        stand_ins: StandIns | None = None,
    ) -> None:
        self._engine = Engine(engine_config(address_space()))
        self._ticker = Ticker(self._engine)
        self._loop = CallLoop(self._engine, loop_code())
        self._linker = Linker(self._engine)
        # Apart from what guests can import. A store that it was linked to is for asynchronous calls
        # only, as all are.
        self._waits = Linker(self._engine)
        self._wait_type = define_wait(self._waits)
        self._stats: dict[str, GuestStats] = {}
        # The counts of self-tests, which are not reported.
        self._untold = GuestStats()
        self.log = GuestLog()
        self.trail = Trail()
        self.queue = RunQueue() if queue is None else queue
        self.clock = clock
        self.kv = kv
        self._stand_ins = stand_ins
        functions = host_functions() if stand_ins is None else stand_ins.functions()
        functions["log.write"] = self.log.buffer.write_import
        self._types = [
            define(
                self._linker,
                f"{PACKAGE}/{entry.interface}@{VERSION[0]}.{VERSION[1]}.{patch}",
                entry.name,
                entry.params,
                entry.results,
                functions[f"{entry.interface}.{entry.name}"],
            )
            for entry in IMPORTS
            for patch in range(VERSION[2] + 1)
        ]

    def stats_of(self, name: str) -> GuestStats:
        """The counts of a guest, which go on over its versions; the same name has the same for
        ever.
        """
        return self._stats.setdefault(name, GuestStats())

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Every guest's counts by name; see `GuestStats.snapshot`."""
        return {name: stats.snapshot() for name, stats in self._stats.items()}

    def last_failure(self, name: str) -> tuple[float, str]:
        """When a call of a guest failed last, in seconds of the Unix epoch, and of what; 0 and
        nothing if none did.
        """
        stats = self._stats.get(name)
        return (stats.failed_at, stats.error) if stats is not None else (0.0, "")

    def metrics(self) -> dict[str, list[Series]]:
        """What guests counted by themselves, by name."""
        return {name: stats.metrics.read() for name, stats in self._stats.items() if stats.metrics is not None}

    def descriptions(self) -> dict[str, list[Description]]:
        """What guests say of their metrics, by name."""
        return {name: stats.metrics.descriptions() for name, stats in self._stats.items() if stats.metrics is not None}

    def _outbound(self, stats: GuestStats, grant: HttpGrant) -> OutboundCalls:
        fetch, counts = grant.fetch, stats.fetches

        async def counted(request: bytes, label: str) -> tuple[int, bytes]:
            answer = await fetch(request, label)
            counts[answer[0] + 1] += 1
            return answer

        return OutboundCalls(self._waits, counted, grant.calls, grant.request_bytes)

    def _space_of(self, name: str, quota: int) -> StoreSpace:
        if self.kv is None:
            self.kv = SharedStore.create(max(quota, DEFAULT_BYTES))
        return StoreSpace(self.kv, self.kv.space(name), quota, self._stand_ins)

    def new_plan(
        self,
        name: str,
        module: InstancePre,
        exports: Mapping[int, Export],
        limits: CallLimits,
        grants: Grants,
        test_log: LogBuffer | None = None,
        version: str = "",
    ) -> Plan:
        """What instances of a prepared guest are made by; ``exports`` go by slot, ``version`` is
        the file's digest.

        With ``test_log`` they are for a self-test: what they do is not counted, and they log there.
        """
        stats = self.stats_of(name) if test_log is None else self._untold
        return Plan(
            self._engine,
            self._ticker,
            module,
            self._loop,
            exports,
            limits,
            stats.counters,
            test_log or self.log.buffer,
            name,
            stats.own_metrics() if "metrics" in grants.names else None,
            self._space_of(name, grants.kv) if "kv" in grants.names else None,
            self._outbound(stats, grants.http) if "http-client" in grants.names and grants.http is not None else None,
            self.trail if test_log is None else None,
            version,
        )

    def prepare(self, artefact: Artefact, grants: frozenset[str] = frozenset()) -> tuple[InstancePre, CheckedGuest]:
        """Compile a guest, hold it to the contract and link it; ``grants`` are interfaces that it
        may import.

        Raises `GuestLoadError`.
        """
        return self._link(compile_module(self._engine, artefact), artefact.path, grants)

    def prepare_compiled(
        self, compiled: CompiledGuest, path: str, grants: frozenset[str] = frozenset()
    ) -> tuple[InstancePre, CheckedGuest]:
        """The same with code that was compiled before.

        Raises `GuestLoadError`, also for code that this engine cannot run.
        """
        try:
            module = Module.deserialize(self._engine, compiled.code)
        except WasmtimeError as error:
            if starved := without_addresses(str(error)):
                raise GuestLoadError(f"{path}: {starved}") from None
            reason = one_line(last_line(str(error)))
            raise GuestLoadError(f"{path}: was compiled for another engine: {reason}") from None
        return self._link(module, path, grants)

    def _link(self, module: Module, path: str, grants: frozenset[str]) -> tuple[InstancePre, CheckedGuest]:
        checked = check(surface_of(module), path, grants)
        try:
            return self._linker.instantiate_pre(module), checked
        except WasmtimeError as error:
            raise GuestLoadError(f"{path}: cannot be linked: {one_line(last_line(str(error)))}") from None
