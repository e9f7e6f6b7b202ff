"""Unit tests of a guest, without a gateway and without WebAssembly.

```python
def test_it_greets() -> None:
    assert Harness(Greeter).on_request().header("x-greeting") == "hello"
```
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sentinel_sdk import _host, _msgpack
from sentinel_sdk._run import Runner
from sentinel_sdk._text import encoded
from sentinel_sdk.errors import HttpError, KvError
from sentinel_sdk.guest import Guest
from sentinel_sdk.headers import Field
from sentinel_sdk.log import LEVELS
from sentinel_sdk.message import ORIGINS, OUTCOMES, ClientCertificate, Fields, Origin, Outcome, Response
from sentinel_sdk.metrics import KINDS, Kind

HttpService = Callable[[str, str, bytes], Response]
"""Answers a guest's request: method, URL and body. `HttpError` is what the guest's call raises."""


def _unreachable(method: str, url: str, body: bytes) -> Response:
    raise HttpError("unreachable")


@dataclasses.dataclass
class Result:
    """What a hook made of a message.

    ``response`` is the guest's own, if it answered. ``edits`` are its changes to the header fields,
    such as ``("set", "x-a", b"1")``, and ``headers`` the fields with them. ``chunk`` is what goes
    on in place of the piece that the hook got. ``body`` is ``skip``, ``stream`` or ``buffer``.
    """

    response: Response | None = None
    edits: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)
    headers: list[Field] = dataclasses.field(default_factory=list)
    context: bytes = b""
    path: str | None = None
    query: str | None = None
    method: str | None = None
    upstream: str | None = None
    status: int | None = None
    body: str = "skip"
    chunk: bytes | None = None

    def header(self, name: str) -> str | None:
        """The first value of that name, as text, after the edits."""
        values = (value for field, value in self.headers if field == name.lower())
        return next((value.decode(errors="replace") for value in values), None)


class Harness:
    """A guest with its configuration, and stand-ins for the host's functions.

    The clock stands still at ``wall`` nanoseconds until a test adds to it. ``logs`` are level and
    text, ``metrics`` what was counted, ``kv`` the keys that the guest finds. ``descriptions`` are
    kind, help text, unit and bounds of each metric that the guest describes. Raises `ConfigError`
    when the guest refuses the configuration.
    """

    __test__ = False

    def __init__(
        self,
        guest: type[Guest[Any]],
        config: Mapping[str, Any] | None = None,
        *,
        kv: Mapping[str, str | bytes] | None = None,
        http: HttpService = _unreachable,
        wall: int = 1_767_225_600_000_000_000,
    ) -> None:
        self.logs: list[tuple[str, str]] = []
        self.metrics: dict[str, float] = {}
        self.descriptions: dict[str, tuple[Kind, str, str, tuple[float, ...]]] = {}
        self.kv: dict[bytes, bytes] = {key.encode(): encoded(value) for key, value in (kv or {}).items()}
        self.wall = wall
        self._host = _TestHost(self, http)
        self._runner = self._with_host(Runner, guest)
        self._with_host(self._runner.configure, _msgpack.pack(dict(config or {})))

    @property
    def guest(self) -> Guest[Any]:
        """The guest itself."""
        guest: Guest[Any] = self._runner.guest
        return guest

    def on_request(
        self,
        method: str = "GET",
        target: str = "/",
        headers: Fields = (),
        *,
        client_certificate: ClientCertificate | None = None,
        **head: str,
    ) -> Result:
        """Call ``on_request``; ``head`` is further fields, such as ``client="192.0.2.1"``."""
        path, mark, query = target.partition("?")
        fields = Response(headers=headers).headers
        plain = {"scheme": "http", "authority": "localhost", "client": "127.0.0.1", "request_id": "test"}
        told = plain | {"route": "/", "http_version": "1.1"} | head
        record: list[Any] = [method, path, query if mark else None, fields, *told.values()]
        if client_certificate is not None:
            record.append(client_certificate)
        answer = self._with_host(self._runner.on_request, _msgpack.pack(record))
        return _result(_msgpack.unpack(answer), fields, is_request=True)

    def on_response(
        self, status: int = 200, headers: Fields = (), context: bytes = b"", origin: Origin = "upstream"
    ) -> Result:
        """Call ``on_response``."""
        fields = Response(headers=headers).headers
        record = [status, fields, ORIGINS.index(origin)]
        answer = self._with_host(self._runner.on_response, _msgpack.pack(record), context)
        return _result(_msgpack.unpack(answer), fields, is_request=False)

    def on_request_chunk(self, data: bytes, *, last: bool = True, context: bytes = b"") -> Result:
        """Call ``on_request_chunk``."""
        answer = self._with_host(self._runner.on_request_chunk, data, last, context)
        return _chunk_result(_msgpack.unpack(answer), data, is_request=True)

    def on_response_chunk(self, data: bytes, *, last: bool = True, context: bytes = b"") -> Result:
        """Call ``on_response_chunk``."""
        answer = self._with_host(self._runner.on_response_chunk, data, last, context)
        return _chunk_result(_msgpack.unpack(answer), data, is_request=False)

    def on_complete(
        self,
        status: int = 200,
        *,
        context: bytes = b"",
        outcome: Outcome = "completed",
        origin: Origin = "upstream",
        method: str = "GET",
        path: str = "/",
    ) -> None:
        """Call ``on_complete``."""
        head = ["test", method, path, None, "/", "localhost", "127.0.0.1", "1.1", self.wall // 1000, 100]
        record = [*head, status, 0, 0, OUTCOMES.index(outcome), ORIGINS.index(origin)]
        self._with_host(self._runner.on_complete, _msgpack.pack(record), context)

    def _with_host(self, call: Callable[..., Any], *arguments: Any) -> Any:
        before = _host.use(self._host)
        try:
            return call(*arguments)
        finally:
            _host.use(before)


class _TestHost:
    """See `sentinel_sdk._host.Host`: every grant is there."""

    def __init__(self, harness: Harness, http: HttpService) -> None:
        self._harness = harness
        self._http = http
        self._drawn = 0

    def log(self, level: int, text: str) -> None:
        self._harness.logs.append((LEVELS[level], text))

    def wall(self) -> int:
        return self._harness.wall

    def monotonic(self) -> int:
        return self._harness.wall

    def random_bytes(self, count: int) -> bytes:
        return b"".join(self.random_number().to_bytes(8, "little") for _ in range(-(-count // 8)))[:count]

    def random_number(self) -> int:
        # Any sequence will do, as long as it is the same in every run.
        self._drawn += 1
        return self._drawn * 0x9E3779B97F4A7C15 % (1 << 64)

    def metrics_add(self, name: str, labels: _host.Labels, value: int) -> None:
        shown = _series(name, labels)
        self._harness.metrics[shown] = self._harness.metrics.get(shown, 0) + value

    def metrics_observe(self, name: str, labels: _host.Labels, value: float) -> None:
        for suffix, amount in (("count", 1), ("sum", value)):
            self.metrics_add(f"{name} {suffix}", labels, amount)  # type: ignore[arg-type]

    def metrics_describe(self, name: str, kind: int, help: str, unit: str, bounds: Sequence[float]) -> None:
        self._harness.descriptions[name] = (KINDS[kind], help, unit, tuple(bounds))

    def kv_get(self, key: bytes) -> bytes | None:
        return self._harness.kv.get(key)

    def kv_set(self, key: bytes, value: bytes, ttl: int) -> None:
        self._harness.kv[key] = value

    def kv_delete(self, key: bytes) -> bool:
        return self._harness.kv.pop(key, None) is not None

    def kv_add(self, key: bytes, delta: int, ttl: int) -> int:
        before = self._harness.kv.get(key, bytes(8))
        if len(before) != 8:
            raise KvError("not-a-number")
        after = int.from_bytes(before, "little", signed=True) + delta
        self._harness.kv[key] = after.to_bytes(8, "little", signed=True)
        return after

    def http_send(self, request: bytes) -> bytes:
        method, url, _, body, _ = _msgpack.unpack(request)
        return _msgpack.pack(self._http(method, url, body).record())


def _series(name: str, labels: _host.Labels) -> str:
    told = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{told}}}" if told else name


def _response(record: list[Any]) -> Response:
    return Response(record[0], [(name, value) for name, value in record[1]], record[2])


def _edited(edits: list[Any], fields: list[Field]) -> tuple[list[tuple[Any, ...]], list[Field]]:
    told: list[tuple[Any, ...]] = []
    fields = list(fields)
    for kind, what in edits:
        name = what if kind == 2 else what[0]
        if kind != 1:
            fields = [field for field in fields if field[0] != name]
        if kind != 2:
            fields.append((name, what[1]))
        told.append((("set", "append", "remove")[kind], *([what] if kind == 2 else what)))
    return told, fields


def _result(action: Any, fields: list[Field], *, is_request: bool) -> Result:
    if action is None:
        return Result(headers=list(fields))
    case, told = action
    if case == 1:
        record = told[0] if is_request else told
        context = told[1] if is_request and len(told) > 1 else b""
        response = _response(record)
        return Result(response=response, headers=response.headers, context=context)
    edits, headers = _edited(told[0], fields)
    result = Result(edits=edits, headers=headers)
    rest = told[1:] + [None] * 6
    if is_request:
        result.context = rest[0] or b""
        result.path, result.query, result.method, result.upstream = rest[1:5]
    else:
        result.status = rest[0]
    mode = rest[5 if is_request else 1]
    result.body = "skip" if mode is None else ("skip", "stream", "buffer")[mode[0]]
    return result


def _chunk_result(action: Any, data: bytes, *, is_request: bool) -> Result:
    if action is None:
        return Result(chunk=data)
    case, told = action
    if case == 0:
        return Result(chunk=told)
    if case == 1:
        response = _response(told)
        return Result(response=response, headers=response.headers)
    result = _result([0, told[0]], [], is_request=is_request)
    result.chunk = told[1] if len(told) > 1 else data
    return result
