"""One guest under test, called hook by hook."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgpack

from sentinel_host.abi.contract import METRIC_KINDS
from sentinel_host.abi.decode import (
    decode_request_action,
    decode_request_body_action,
    decode_response_action,
    decode_response_body_action,
)
from sentinel_host.abi.encode import encode_config, encode_request_head, encode_response_head
from sentinel_host.abi.rules import AbiError
from sentinel_host.authoring.workbench import START, Call, HttpService, Setup, Workbench, unreachable
from sentinel_host.errors import GuestProtocolError
from sentinel_host.messages import (
    Answer,
    BodyKind,
    HeldRequest,
    HeldResponse,
    Origin,
    RequestEdits,
    RequestHead,
    Response,
    ResponseEdits,
    ResponseHead,
)
from sentinel_host.pipeline.edits import edit_request, edit_response
from sentinel_host.sandbox.cases import head_record

Fields = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]
"""Header fields: names to values, or pairs where a name may come twice."""

_SERVED: Final = frozenset({"on-request", "on-response", "on-complete", "on-request-chunk", "on-response-chunk"})


@dataclass(frozen=True, slots=True)
class Result:
    """What a guest made of a message.

    ``action`` is ``continue``, or ``respond`` when the guest answers by itself. ``headers`` are
    then those of its response, and otherwise those of the message with the guest's edits, names in
    lower case; so is ``body``, and ``status``, which a request that goes on does not have.
    ``calls`` are those of the host's functions, such as ``("kv.get", "key")``. ``metrics`` are what
    the guest has counted since it was started.
    """

    action: str
    headers: tuple[tuple[str, str], ...]
    status: int | None = None
    body: bytes = b""
    context: bytes = b""
    method: str | None = None
    path: str | None = None
    query: str | None = None
    upstream: str | None = None
    logs: tuple[tuple[str, str], ...] = ()
    calls: tuple[Call, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The first value of a header field, whatever the name's case."""
        return next((value for key, value in self.headers if key == name.lower()), None)


class TestedGuest:
    """A guest that was started with a configuration, and stand-ins for what it imports.

    ``kv`` is the keys that it finds, and ``kv_error`` a case of ``kv.error`` for every call.
    ``http`` answers what it asks: it gets an `OutboundRequest` and returns a
    `sentinel_host.messages.Response` or a case of ``http-client.error``. The clock stands still at
    ``clock``, which has a time zone; `advance` moves it. Random numbers follow from ``seed``.
    Raises `GuestLoadError`, and `GuestError` for a guest that does not start.
    """

    # pytest would take it for a class of tests.
    __test__ = False

    def __init__(
        self,
        file: str | os.PathLike[str],
        *,
        config: Mapping[str, Any] | None = None,
        kv: Mapping[str, str | bytes] | None = None,
        kv_error: str | None = None,
        http: HttpService = unreachable,
        clock: datetime | None = None,
        seed: int = 0,
    ) -> None:
        self._bench = Workbench(Path(file))
        keys = {key.encode(): _bytes(value) for key, value in (kv or {}).items()}
        wall = START if clock is None else int(clock.timestamp() * 1e9)
        self._started = self._bench.start(encode_config(dict(config or {})), Setup(keys, kv_error, http, wall, seed))
        self._limits = self._bench.guest.blueprint.limits.answers
        self._context = b""

    @property
    def name(self) -> str:
        """The guest's name: its file's without ``.wasm``."""
        return self._bench.guest.name

    @property
    def hooks(self) -> frozenset[str]:
        """The hooks that it exports, such as ``on-request``."""
        return _SERVED & frozenset(self._bench.guest.hooks)

    @property
    def memory(self) -> int:
        """Bytes of its instance's memory, as of its last call."""
        return self._bench.engine.snapshot()[self.name]["memory_bytes"]

    def request(
        self,
        method: str = "GET",
        target: str = "/",
        headers: Fields = (),
        body: bytes = b"",
        client_certificate: ClientCertificate | None = None,
        **head: str,
    ) -> Result:
        """Call ``on-request``, and ``on-request-chunk`` with the whole body if the guest asks for
        it.

        ``head`` is further fields of `RequestHead`: scheme, authority, client, request_id, route,
        http_version. Raises `GuestError`.
        """
        message = request_head(method, target, headers, head, client_certificate)
        action: RequestEdits | Answer | None = None
        if "on-request" in self.hooks:
            action = self.call_request(encode_request_head(message))
        if isinstance(action, Answer):
            self._context = action.context
            return self._answered(action.response, action.context)
        edits = action or RequestEdits()
        self._context = edits.context
        edit_request(message, edits)
        upstream = edits.upstream
        if edits.body.kind is not BodyKind.SKIP:
            passed = self.call_chunk("on-request-chunk", body, True, edits.context)
            if isinstance(passed, Response):
                return self._answered(passed, edits.context)
            if isinstance(passed, HeldRequest):
                edit_request(message, passed.edits)
                upstream = passed.edits.upstream or upstream
                passed = passed.chunk
            body = passed if isinstance(passed, bytes) else body
        return self._result(
            "continue",
            message.headers,
            body=body,
            context=edits.context,
            method=message.method,
            path=message.path,
            query=message.query,
            upstream=upstream,
        )

    def response(
        self, status: int = 200, headers: Fields = (), body: bytes = b"", context: bytes | None = None
    ) -> Result:
        """Call ``on-response``, and ``on-response-chunk`` with the whole body if the guest asks for
        it.

        ``context`` is by default what the guest left with the last request. Raises `GuestError`.
        """
        context = self._context if context is None else context
        message = ResponseHead(status, pairs(headers), Origin.UPSTREAM)
        action: ResponseEdits | Response | None = None
        if "on-response" in self.hooks:
            action = self.call_response(encode_response_head(message), context)
        if isinstance(action, Response):
            return self._answered(action, context)
        edits = action or ResponseEdits()
        edit_response(message, edits)
        if edits.body.kind is not BodyKind.SKIP:
            passed = self.call_chunk("on-response-chunk", body, True, context)
            if isinstance(passed, Response):
                return self._answered(passed, context)
            if isinstance(passed, HeldResponse):
                edit_response(message, passed.edits)
                passed = passed.chunk
            body = passed if isinstance(passed, bytes) else body
        return self._result("continue", message.headers, status=message.status, body=body, context=context)

    def complete(self, context: bytes | None = None, **summary: Any) -> Result:
        """Call ``on-complete``; ``summary`` is fields of `Summary`, such as ``status=502``. Raises
        `GuestError`.
        """
        fields = {name.replace("_", "-"): value for name, value in summary.items()}
        self._started.call("on-complete", head_record("on-complete", fields), self._of(context))
        return self._result("continue", [], context=self._of(context))

    def advance(self, time: timedelta | float) -> None:
        """Let time go by, in seconds or as a timedelta."""
        seconds = time.total_seconds() if isinstance(time, timedelta) else time
        self._started.advance(int(seconds * 1e9))

    def call_request(self, record: bytes) -> RequestEdits | Answer | None:
        """The action of ``on-request`` for a record. Raises `GuestError`."""
        answer = self._started.call("on-request", record)
        try:
            return None if answer is None else decode_request_action(answer, self._limits)
        except AbiError as error:
            raise GuestProtocolError(self.name, "on-request", str(error)) from None

    def call_response(self, record: bytes, context: bytes) -> ResponseEdits | Response | None:
        """The action of ``on-response`` for a record. Raises `GuestError`."""
        answer = self._started.call("on-response", record, context)
        try:
            return None if answer is None else decode_response_action(answer, self._limits)
        except AbiError as error:
            raise GuestProtocolError(self.name, "on-response", str(error)) from None

    def call_complete(self, record: bytes, context: bytes) -> None:
        """Call ``on-complete`` for a record. Raises `GuestError`."""
        self._started.call("on-complete", record, context)

    def call_chunk(
        self, hook: str, chunk: bytes, last: bool, context: bytes
    ) -> bytes | Response | HeldRequest | HeldResponse | None:
        """The action of a chunk hook. Raises `GuestError`."""
        answer = self._started.call(hook, chunk, context, last)
        decode = decode_request_body_action if hook == "on-request-chunk" else decode_response_body_action
        try:
            return None if answer is None else decode(answer, self._limits)
        except AbiError as error:
            raise GuestProtocolError(self.name, hook, str(error)) from None

    @property
    def descriptions(self) -> dict[str, Described]:
        """What the guest says of its metrics, by their names."""
        return {
            each.name: Described(METRIC_KINDS[each.is_histogram], each.help, each.unit, each.bounds)
            for each in self._bench.engine.descriptions().get(self.name, [])
        }

    def take_logs(self) -> tuple[tuple[str, str], ...]:
        """The lines since the last time, and since the last result: level and text."""
        return tuple(self._started.take_logs())

    def close(self) -> None:
        """Free the instance. The fixture does this at the end of a test."""
        self._bench.close()

    def _of(self, context: bytes | None) -> bytes:
        return self._context if context is None else context

    def _answered(self, response: Response, context: bytes) -> Result:
        return self._result("respond", response.headers, status=response.status, body=response.body, context=context)

    def _result(self, action: str, headers: list[tuple[bytes, bytes]], **rest: Any) -> Result:
        return Result(
            action,
            shown(headers),
            logs=self.take_logs(),
            calls=tuple(self._started.take_calls()),
            metrics=self._metrics(),
            **rest,
        )

    def _metrics(self) -> dict[str, float]:
        counted: dict[str, float] = {}
        for series in self._bench.engine.metrics().get(self.name, []):
            pairs_of = zip(series.labels[::2], series.labels[1::2], strict=True)
            labels = ",".join(f'{label}="{value}"' for label, value in pairs_of)
            name = f"{series.name}{{{labels}}}" if labels else series.name
            if series.is_histogram:
                counted[f"{name} count"], counted[f"{name} sum"] = sum(series.values[:-1]), series.values[-1]
            else:
                counted[name] = series.values[0]
        return counted


class Described(NamedTuple):
    """What a guest says of a metric, which is a ``counter`` or a ``histogram``."""

    kind: str
    help: str
    unit: str
    bounds: tuple[float, ...]


class ClientCertificate(NamedTuple):
    """The certificate of a client, as guests see it: see ``client-certificate`` in
    ``wit/types.wit``.
    """

    subject: str
    names: Sequence[str] = ()
    sha256: str = "00" * 32
    verified: bool = True


def request_head(
    method: str,
    target: str,
    headers: Fields,
    head: Mapping[str, str],
    certificate: ClientCertificate | None = None,
) -> RequestHead:
    """A plain request from 127.0.0.1 to ``localhost``, but for what ``head`` says."""
    path, mark, query = target.partition("?")
    plain = {
        "scheme": "http",
        "authority": "localhost",
        "client": "127.0.0.1",
        "request_id": "test",
        "route": "/",
        "http_version": "1.1",
    }
    packed = None if certificate is None else msgpack.packb(certificate)
    fields = plain | dict(head)
    return RequestHead(method, path, query if mark else None, pairs(headers), client_certificate=packed, **fields)


def pairs(headers: Fields) -> list[tuple[bytes, bytes]]:
    """Header fields as guests see them."""
    given = headers.items() if isinstance(headers, Mapping) else headers
    return [(name.lower().encode("ascii"), _bytes(value)) for name, value in given]


def shown(headers: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Header fields as text."""
    return tuple((_text(name), _text(value)) for name, value in headers)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
