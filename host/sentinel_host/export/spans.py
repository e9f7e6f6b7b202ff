"""Records of requests as spans, by OpenTelemetry's semantic conventions for HTTP and RPC.

A request is a server span. Each try of an upstream is a client span below it, and each call of a
guest's hook an internal span. Names that the conventions do not have begin with ``sentinel.``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sentinel_host.observe import Change, HookRecord, RequestRecord, TryRecord
from sentinel_host.observe.trace_context import span_of_hook, span_of_try

SCOPE: Final = "sentinel"

Value = str | int | bool | list[str]

_ON_REQUEST: Final = "on-request"
_SERVER_FAILURE: Final = 500
_CLIENT_FAILURE: Final = 400
# RFC 9110 section 9 and RFC 5789; others are `_OTHER`, so that clients do not make names.
_METHODS: Final = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
_GRPC: Final = "application/grpc"
# The statuses of a call that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED,
# INTERNAL, UNAVAILABLE and DATA_LOSS.
_GRPC_FAILURES: Final = frozenset((2, 4, 12, 13, 14, 15))


def trace_request(records: Iterable[RequestRecord], resource: Mapping[str, str]) -> tuple[bytes, int]:
    """An ``ExportTraceServiceRequest`` of these records, and how many spans it has."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=resource_of(resource))
    scope = group.scope_spans.add()
    scope.scope.name = SCOPE
    for record in records:
        scope.spans.extend(spans_of(record))
    return request.SerializeToString(), len(scope.spans)


def spans_of(record: RequestRecord) -> list[Span]:
    """The request's span first."""
    spans = [_request_span(record)]
    spans += [_try_span(record, each, number) for number, each in enumerate(record.tries, 1)]
    spans += [_hook_span(record, each, number) for number, each in enumerate(record.hooks)]
    return spans


def resource_of(attributes: Mapping[str, str]) -> Resource:
    """What everything that is sent is about."""
    return Resource(attributes=attributes_of(attributes))


def attributes_of(attributes: Mapping[str, Value | None]) -> list[KeyValue]:
    """Attributes without those that are not there."""
    return [
        KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items() if value not in (None, "", [])
    ]


def _any_value(value: Value | None) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, list):
        made = AnyValue()
        made.array_value.values.extend(AnyValue(string_value=each) for each in value)
        return made
    return AnyValue(string_value=value or "")


def _request_span(record: RequestRecord) -> Span:
    method = record.method if record.method in _METHODS else "_OTHER"
    host, port = _address(record.authority)
    error = _error_of(record)
    service, rpc_method = _rpc(record)
    return _span(
        record,
        record.span_id,
        record.parent_id,
        # A route's name is what operators know; the conventions' `http.route` is it, too.
        f"{service}/{rpc_method}" if service else f"{method} {record.route}",
        Span.SPAN_KIND_SERVER,
        0,
        record.duration,
        {
            "http.request.method": method,
            "http.request.method_original": record.method if method == "_OTHER" else None,
            "http.route": record.route,
            "http.response.status_code": record.status or None,
            "http.request.body.size": record.request_bytes,
            "http.response.body.size": record.response_bytes,
            "url.scheme": record.scheme,
            "url.path": record.path,
            "url.query": record.query,
            "server.address": host,
            "server.port": port,
            "client.address": record.client,
            "network.protocol.name": "http",
            "network.protocol.version": record.http_version,
            "user_agent.original": record.user_agent,
            "rpc.system": "grpc" if service else None,
            "rpc.service": service,
            "rpc.method": rpc_method,
            "rpc.grpc.status_code": record.grpc_status,
            "error.type": error,
            "sentinel.request.id": record.id,
            "sentinel.request.recorded_for": record.why,
            "sentinel.request.outcome": record.outcome,
            "sentinel.response.origin": record.origin,
            "sentinel.upstream": record.upstream,
            "sentinel.worker": record.worker,
        },
        error,
    )


def _try_span(record: RequestRecord, tried: TryRecord, number: int) -> Span:
    asked, path, query = _asked_for(record)
    method = asked if asked in _METHODS else "_OTHER"
    scheme, _, authority = tried.endpoint.partition("://")
    host, port = _address(authority)
    error = tried.error or (str(tried.status) if tried.status >= _CLIENT_FAILURE else "")
    return _span(
        record,
        span_of_try(record.span_id, number),
        record.span_id,
        method,
        Span.SPAN_KIND_CLIENT,
        tried.start,
        tried.duration,
        {
            "http.request.method": method,
            "http.request.resend_count": number - 1 or None,
            "http.response.status_code": tried.status or None,
            "server.address": host,
            "server.port": port,
            "url.full": f"{tried.endpoint}{path}?{query}" if query else f"{tried.endpoint}{path}",
            "url.scheme": scheme,
            "url.path": path,
            "error.type": error,
            "sentinel.upstream": record.upstream,
            "sentinel.endpoint": tried.endpoint,
        },
        error,
    )


def _asked_for(record: RequestRecord) -> tuple[str, str, str]:
    """The method, path and query that upstreams were asked for: guests may have changed them."""
    parts = {"method": record.method, "path": record.path, "query": record.query or ""}
    for hook in record.hooks:
        if hook.hook == _ON_REQUEST:
            parts |= {each.part: each.after[0] for each in hook.changes if each.part in parts}
    return parts["method"], parts["path"], parts["query"]


def _hook_span(record: RequestRecord, hook: HookRecord, number: int) -> Span:
    failed = hook.outcome in ("failed", "refused")
    error = hook.error or hook.outcome if failed else ""
    span = _span(
        record,
        span_of_hook(record.span_id, number),
        record.span_id,
        f"{hook.guest} {hook.hook}",
        Span.SPAN_KIND_INTERNAL,
        hook.start,
        hook.duration,
        {
            "sentinel.guest.name": hook.guest,
            "sentinel.guest.version": hook.version,
            "sentinel.guest.hook": hook.hook,
            "sentinel.guest.running_ns": hook.running,
            "sentinel.guest.calls": hook.calls,
            "sentinel.guest.outcome": hook.outcome,
            "sentinel.guest.bytes_taken": hook.taken,
            "sentinel.guest.bytes_given": hook.given,
            "sentinel.guest.changes": [_in_words(change) for change in hook.changes],
            "error.type": hook.outcome if failed else None,
        },
        error,
    )
    began = record.started_at * 1000
    for line in record.lines:
        if line.guest == hook.guest and hook is _last_of(record, line.guest):
            event = span.events.add(time_unix_nano=began + (hook.start + hook.duration) * 1000, name=line.message)
            event.attributes.extend(attributes_of({"log.severity": line.level}))
    return span


def _last_of(record: RequestRecord, guest: str) -> HookRecord:
    return next(hook for hook in reversed(record.hooks) if hook.guest == guest)


def _span(
    record: RequestRecord,
    span_id: str,
    parent_id: str,
    name: str,
    kind: Span.SpanKind.ValueType,
    start: int,
    duration: int,
    attributes: Mapping[str, Value | None],
    error: str,
) -> Span:
    began = (record.started_at + start) * 1000
    return Span(
        trace_id=bytes.fromhex(record.trace_id),
        span_id=bytes.fromhex(span_id),
        parent_span_id=bytes.fromhex(parent_id),
        trace_state=record.trace_state,
        # Trace Context's flag for a sampled trace.
        flags=1,
        name=name,
        kind=kind,
        start_time_unix_nano=began,
        end_time_unix_nano=began + duration * 1000,
        attributes=attributes_of(attributes),
        status=Status(code=Status.STATUS_CODE_ERROR, message=error) if error else None,
    )


def _error_of(record: RequestRecord) -> str:
    if record.status >= _SERVER_FAILURE:
        return str(record.status)
    if record.grpc_status in _GRPC_FAILURES:
        return str(record.grpc_status)
    return record.outcome if record.outcome != "completed" else ""


def _rpc(record: RequestRecord) -> tuple[str, str]:
    """The service and method of a gRPC request: its path is ``/SERVICE/METHOD``."""
    if not record.content_type.startswith(_GRPC):
        return "", ""
    service, _, method = record.path.removeprefix("/").rpartition("/")
    return service, method


def _address(authority: str) -> tuple[str, int | None]:
    host, separator, port = authority.rpartition(":")
    if not separator or not port.isdigit():
        return authority.strip("[]"), None
    return host.strip("[]"), int(port)


def _in_words(change: Change) -> str:
    what = f"{change.part} {change.name}" if change.name else change.part
    return f"{what}: {', '.join(change.before) or '(none)'} → {', '.join(change.after) or '(none)'}"
