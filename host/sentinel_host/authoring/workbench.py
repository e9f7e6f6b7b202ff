"""A guest on trial: its file in the shipping sandbox, with stand-ins for what it imports, and no
gateway around.

Rule 1: what runs is the file that ships, in the engine, with the limits and the checks that a
        gateway has.
Rule 2: the stand-ins belong to one start of the guest, which begins with the keys, the time and the
        random numbers that its `Setup` says, and no others.
Rule 3: an instance that failed is not called again: the next call gets a new one, as in a gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sentinel_host.abi.contract import GRANTS, HOOKS, HTTP_ERRORS, LOG_LEVELS
from sentinel_host.abi.decode import decode_outbound_request
from sentinel_host.abi.encode import encode_response
from sentinel_host.abi.rules import AbiError
from sentinel_host.authoring.loading import load
from sentinel_host.errors import GuestError
from sentinel_host.kv import SharedStore
from sentinel_host.messages import OutboundRequest, Response
from sentinel_host.native.failure import CallFailed
from sentinel_host.native.guest import SUSPENDED, NativeGuest, Suspension
from sentinel_host.native.log import lines_of
from sentinel_host.native.plan import Plan
from sentinel_host.native.stand_ins import Recorded, StandIns
from sentinel_host.sandbox import Grants, GuestEngine, HttpGrant, Limits, LoadedGuest
from sentinel_host.sandbox.instance import SLOTS, Blueprint, guest_error

KV_ERRORS: Final = ("full", "too-large", "not-a-number", "unavailable")
"""The cases of ``kv.error``."""

START: Final = 1_767_225_600_000_000_000
"""2026-01-01 in UTC, in nanoseconds of the Unix epoch: when the clock begins, if nothing else is
said.
"""

# Any but 0: a guest should not take the clock's origin for now.
_UPTIME: Final = 3_600_000_000_000
_QUOTA: Final = 1 << 20
_LABEL: Final = b"test"
_BY_NAME: Final = {hook.name: hook for hook in HOOKS}

Call = tuple[str | int, ...]
"""A call of a host's function: its interface and name, such as ``kv.set``, and its arguments as
text and numbers.
"""

HttpService = Callable[[OutboundRequest], "Response | str"]
"""Answers what a guest asks: a response, or a case of ``http-client.error`` such as ``timeout``."""


def unreachable(request: OutboundRequest) -> Response | str:
    """The service where nothing else is said."""
    return "unreachable"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the stand-ins begin with.

    ``kv`` is the guest's keys, ``kv_error`` a case of ``kv.error`` for every call; ``wall`` is
    nanoseconds of the Unix epoch.
    """

    kv: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}))
    kv_error: str | None = None
    http: HttpService = unreachable
    wall: int = START
    seed: int = 0


class Workbench:
    """One guest's file, loaded once, to be started any number of times, one after another.

    Raises `GuestLoadError` for a file that is no guest.
    """

    def __init__(self, file: Path, limits: Limits | None = None) -> None:
        self._stand_ins = StandIns()
        self.engine = GuestEngine(stand_ins=self._stand_ins)
        self._started: StartedGuest | None = None
        grants = Grants(GRANTS, kv=_QUOTA, http=HttpGrant(self._fetch))
        self.guest: LoadedGuest = load(file, self.engine, grants, limits)

    def start(self, config: bytes, setup: Setup | None = None) -> StartedGuest:
        """Start the guest with this configuration, one MessagePack map; what was started before
        ends.

        Raises `GuestError` when it fails, or refuses the configuration.
        """
        setup = setup or Setup()
        if self._started is not None:
            self._started.close()
            self._started = None
        self._renew_keys(setup.kv)
        self._stand_ins.seed(setup.seed)
        self._stand_ins.fail_kv(None if setup.kv_error is None else KV_ERRORS.index(setup.kv_error))
        self._stand_ins.take()
        self.engine.log.drain()
        blueprint = self.guest.blueprint
        started = StartedGuest(blueprint, blueprint.new_plan(), config, self._stand_ins, setup)
        self._started = started
        started.ensure()
        return started

    def take_logs(self) -> list[tuple[str, str]]:
        """The lines since the last time, also those of a guest that did not start: level and
        text.
        """
        return _drained(self.engine)

    def close(self) -> None:
        """End what was started."""
        if self._started is not None:
            self._started.close()
            self._started = None

    def _renew_keys(self, keys: Mapping[bytes, bytes]) -> None:
        engine, name = self.engine, self.guest.name
        if engine.kv is not None:
            engine.kv.close()
        engine.kv = store = SharedStore.create(_QUOTA)
        space = store.space(name)
        for key, value in keys.items():
            store.put(space, _QUOTA, key, value, _UPTIME // 1_000_000)

    async def _fetch(self, data: bytes, label: str) -> tuple[int, bytes]:
        """`sentinel_host.native.plan.Fetch`."""
        started = self._started
        try:
            request = decode_outbound_request(data)
        except AbiError:
            return HTTP_ERRORS.index("invalid"), b""
        answer = "unreachable" if started is None else started.ask(request)
        if isinstance(answer, str):
            return HTTP_ERRORS.index(answer), b""
        return -1, encode_response(answer.status, answer.headers, answer.body)


class StartedGuest:
    """A guest that was started, whose hooks can be called by their names."""

    def __init__(self, blueprint: Blueprint, plan: Plan, config: bytes, stand_ins: StandIns, setup: Setup) -> None:
        self._blueprint = blueprint
        self._plan = plan
        self._config = config
        self._stand_ins = stand_ins
        self._http = setup.http
        self._wall = setup.wall
        self._elapsed = 0
        self._calls: list[Call] = []
        self._instance: NativeGuest | None = None
        self.advance(0)

    def ensure(self) -> NativeGuest:
        """The instance, a new one if there is none. Raises `GuestError`."""
        if self._instance is None:
            instance = self._instance = NativeGuest(self._plan)
            self._finish("configure", instance, lambda: instance.start(self._config))
        return self._instance

    def call(self, hook: str, payload: bytes, context: bytes = b"", last: bool = True) -> bytes | None:
        """Call a hook; None stands for nil. Raises `GuestError`, of which the frames tell where."""
        instance = self.ensure()
        slot = SLOTS[_BY_NAME[hook]]
        return self._finish(hook, instance, lambda: instance.call(slot, payload, context, last, _LABEL))

    def ask(self, request: OutboundRequest) -> Response | str:
        """What the HTTP stand-in answers; the request is recorded."""
        self._calls += map(_told, self._stand_ins.take())
        # In place of the recorded bytes.
        if self._calls and self._calls[-1][0] == "http-client.send":
            self._calls.pop()
        self._calls.append(("http-client.send", request.method, request.url, _text(request.body)))
        return self._http(request)

    def advance(self, nanoseconds: int) -> None:
        """Let time go by; it stands still otherwise."""
        self._elapsed += nanoseconds
        self._stand_ins.set_clock(self._wall + self._elapsed, _UPTIME + self._elapsed)

    def take_calls(self) -> list[Call]:
        """The calls of the host's functions since the last time, but for the log and descriptions
        of metrics.
        """
        calls, self._calls = [*self._calls, *map(_told, self._stand_ins.take())], []
        return calls

    def take_logs(self) -> list[tuple[str, str]]:
        """The lines since the last time: level and text."""
        return _drained(self._blueprint.engine)

    def close(self) -> None:
        """Free the instance."""
        if self._instance is not None:
            self._instance.close()
            self._instance = None

    def _finish(self, hook: str, instance: NativeGuest, begin: Callable[[], bytes | Suspension | None]) -> bytes | None:
        limits = self._blueprint.limits
        deadline = limits.start_deadline if hook == "configure" else limits.deadline
        try:
            answer = begin()
            while answer is SUSPENDED:
                if instance.is_waiting:
                    _complete(instance.ask())
                answer = instance.resume()
        except CallFailed as failed:
            error = guest_error(self._blueprint, hook, failed, deadline)
            self.close()
            raise error from None
        except BaseException:
            self.close()
            raise
        if instance.is_retirable:
            self.close()
        assert not isinstance(answer, Suspension)
        return answer


def _drained(engine: GuestEngine) -> list[tuple[str, str]]:
    data, _ = engine.log.buffer.drain()
    return [(LOG_LEVELS[line.level], _text(line.message)) for line in lines_of(data)]


def guest_failure(error: GuestError) -> str:
    """What an error of a guest says of itself: the hook, the reason, and where."""
    return "\n".join([f"{error.hook}: {error.reason}", *(f"  at {frame}" for frame in error.backtrace)])


def _complete(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what never waits: a stand-in answers at once, whether or not an event loop runs here."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("a stand-in waits")


def _told(call: Recorded) -> Call:
    match call.name:
        case "kv.get" | "kv.delete":
            return (call.name, _text(call.first))
        case "kv.set":
            return (call.name, _text(call.first), _text(call.second))
        case "kv.add" | "metrics.add":
            return (call.name, _text(call.first), call.number)
        case "metrics.observe":
            return (call.name, _text(call.first))
        case "random.bytes":
            return (call.name, call.number)
    return (call.name,)


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
