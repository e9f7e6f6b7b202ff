from typing import Any, NewType, TypeVar

EngineTable = NewType("EngineTable", object)
Log = NewType("Log", object)
Ticker = NewType("Ticker", object)
Plan = NewType("Plan", object)
Guest = NewType("Guest", object)
Bytes = NewType("Bytes", object)
_T = TypeVar("_T")

class CountersHandle:
    calls: int
    suspensions: int
    cpu_ns: int
    lines_cut: int
    started: int
    instances: int
    memory_bytes: int
    kv_calls: int
    kv_full: int
    kv_unavailable: int

class MetricsHandle:
    full: int
    invalid: int
    used: int

class Series:
    key: Any
    length: int
    kind: int
    count: int
    sum: float
    buckets: list[int]

class _Lib:
    SNT_METRIC_BOUNDS: list[float]
    SNT_COUNTER: int
    SNT_HISTOGRAM: int
    SNT_SIZEOF_FUNC: int
    SNT_SIZEOF_MEMORY: int
    SNT_SIZEOF_INSTANCE: int
    SNT_SIZEOF_VAL_RAW: int
    SNT_SIZEOF_EXTERN: int
    SNT_SIZEOF_CONTINUATION: int
    SNT_OFFSET_EXTERN_OF: int
    SNT_SIZEOF_LOG_LINE: int
    SNT_HOOKS: int
    SNT_LOG_MESSAGE_MAX: int
    SNT_WORN: int
    SNT_SLOT_CONFIGURE: int
    SNT_SLOT_INITIALIZE: int
    SNT_NEW: int
    SNT_STARTING: int
    SNT_INITIALIZING: int
    SNT_CONFIGURING: int
    SNT_SERVING: int
    SNT_RETURNS_NOTHING: int
    SNT_RETURNS_LIST: int
    SNT_RETURNS_OUTCOME: int
    SNT_REFUSED: int
    SNT_TRAP_IN_REALLOC: int
    SNT_TRAP_IN_HOOK: int
    SNT_TRAP_IN_POST: int
    SNT_TRAP_IN_START: int
    SNT_REALLOC_OUT_OF_BOUNDS: int
    SNT_AREA_MISALIGNED: int
    SNT_AREA_OUT_OF_BOUNDS: int
    SNT_RESULT_OUT_OF_BOUNDS: int
    SNT_RESULT_TOO_LONG: int
    SNT_BAD_DISCRIMINANT: int
    SNT_INPUT_TOO_LONG: int
    SNT_NO_HOOK: int
    SNT_BUSY: int
    SNT_DISCARDED: int
    SNT_NO_MEMORY: int
    SNT_SUSPENDED: int
    SNT_WAITING: int

    def snt_engine_new(self) -> EngineTable: ...
    def snt_engine_name(self, index: int, /) -> Bytes: ...
    def snt_engine_set(self, engine: EngineTable, index: int, address: int, /) -> bool: ...
    def snt_log_new(self, engine: EngineTable, capacity: int, /) -> Log: ...
    def snt_log_free(self, log: Log, /) -> None: ...
    def snt_log_drain(self, log: Log, out: Bytes, dropped: Any, /) -> int: ...
    def snt_log_render(
        self, lines: bytes, size: int, offset: Any, least: int, time: bytes, out: Bytes, room: int, /
    ) -> int: ...
    def snt_log_write_address(self) -> int: ...
    def snt_import_name(self, index: int, /) -> Bytes: ...
    def snt_import_address(self, index: int, /) -> int: ...
    def snt_http_wait_address(self) -> int: ...
    def snt_ticker_new(self, engine: EngineTable, wasm_engine: int, /) -> Ticker: ...
    def snt_ticker_free(self, ticker: Ticker, /) -> None: ...
    def snt_counters_new(self) -> CountersHandle: ...
    def snt_plan_new(
        self,
        engine: EngineTable,
        ticker: Ticker,
        wasm_engine: int,
        pre: int,
        nullary: int,
        counters: CountersHandle,
        limits: Any,
        name: bytes,
        /,
    ) -> Plan: ...
    def snt_plan_free(self, plan: Plan, /) -> None: ...
    def snt_plan_hook(
        self, plan: Plan, index: int, lists: int, takes_flag: bool, returns: int, name: bytes, post: Any, /
    ) -> bool: ...
    def snt_plan_calls(self, plan: Plan, /) -> int: ...
    def snt_plan_metrics(self, plan: Plan, metrics: MetricsHandle, /) -> None: ...
    def snt_plan_http(self, plan: Plan, linker: int, calls: int, request: int, /) -> None: ...
    def snt_plan_kv(self, plan: Plan, store: int, space: int, quota: int, /) -> None: ...
    def snt_metrics_new(self) -> MetricsHandle: ...
    def snt_metrics_at(self, metrics: MetricsHandle, place: int, /) -> Series: ...
    def snt_guest_new(self, plan: Plan, /) -> Guest: ...
    def snt_guest_free(self, guest: Guest, /) -> None: ...
    def snt_guest_start(self, guest: Guest, config: bytes, length: int, /) -> int: ...
    def snt_resume(self, guest: Guest, /) -> int: ...
    def snt_guest_wanted(self, guest: Guest, /) -> Bytes: ...
    def snt_guest_wanted_length(self, guest: Guest, /) -> int: ...
    def snt_guest_deliver(self, guest: Guest, error: int, answer: bytes, length: int, /) -> bool: ...
    def snt_call(
        self,
        guest: Guest,
        index: int,
        first: bytes,
        first_length: int,
        second: bytes,
        second_length: int,
        flag: bool,
        label: bytes,
        /,
    ) -> int: ...
    def snt_guest_output(self, guest: Guest, /) -> Bytes: ...
    def snt_guest_length(self, guest: Guest, /) -> int: ...
    def snt_guest_capacity(self, guest: Guest, /) -> int: ...
    def snt_guest_phase(self, guest: Guest, /) -> int: ...
    def snt_guest_timed_out(self, guest: Guest, /) -> bool: ...
    def snt_guest_take_trap(self, guest: Guest, /) -> int: ...
    def snt_guest_take_error(self, guest: Guest, /) -> int: ...

class _Buffer:
    def __getitem__(self, index: slice, /) -> bytes: ...
    def __len__(self) -> int: ...

class _Ffi:
    NULL: Any
    def buffer(self, data: Bytes, size: int = -1, /) -> _Buffer: ...
    def cast(self, cdecl: str, value: object, /) -> Any: ...
    def new(self, cdecl: str, init: object = None, /) -> Any: ...
    def gc(self, data: _T, destructor: object, /) -> _T: ...
    def release(self, data: object, /) -> None: ...
    def string(self, data: Bytes, /) -> bytes: ...

lib: _Lib
ffi: _Ffi
