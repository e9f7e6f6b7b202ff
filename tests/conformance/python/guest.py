"""A guest that has every hook and does what its configuration says: ``{"hook": "on-request", "ops":
[[...], ...]}``.

The vectors drive it, and the guests in other languages beside it, and expect the same bytes of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sentinel_sdk import (
    ClientCertificate,
    Guest,
    HeldRequest,
    HeldResponse,
    IncomingResponse,
    Request,
    RequestChunk,
    Response,
    ResponseChunk,
    Summary,
    log,
)


@dataclass
class Settings:
    hook: str = ""
    ops: list[Any] = field(default_factory=list)


class Conformance(Guest[Settings]):
    def _ops(self, hook: str) -> list[Any]:
        return self.config.ops if self.config.hook == hook else []

    def on_request(self, request: Request) -> Response | None:
        response = None
        for op in self._ops("on-request"):
            match op:
                case ["context", context]:
                    request.set_context(context)
                case ["body", *mode]:
                    _ask_for_body(request, mode)
                case ["respond", status, headers, body]:
                    response = Response(status, headers, body)
                case ["dump"]:
                    response = Response(body=_request(request))
                case _:
                    _edit(request, op)
        return response

    def on_response(self, response: IncomingResponse) -> Response | None:
        instead = None
        for op in self._ops("on-response"):
            match op:
                case ["body", *mode]:
                    _ask_for_body(response, mode)
                case ["respond", status, headers, body]:
                    instead = Response(status, headers, body)
                case ["dump"]:
                    instead = Response(body=_response(response))
                case _:
                    _edit(response, op)
        return instead

    def on_complete(self, summary: Summary) -> None:
        if self._ops("on-complete"):
            log.info(_summary(summary))

    def on_request_chunk(self, chunk: RequestChunk) -> Response | None:
        return self._piece("on-request-chunk", chunk)

    def on_response_chunk(self, chunk: ResponseChunk) -> Response | None:
        return self._piece("on-response-chunk", chunk)

    def _piece(self, hook: str, chunk: RequestChunk | ResponseChunk) -> Response | None:
        response = None
        for op in self._ops(hook):
            match op:
                case ["replace", data]:
                    chunk.replace(data)
                case ["respond", status, headers, body]:
                    response = Response(status, headers, body)
                case ["edit-head", edits, data]:
                    for edit in edits:
                        _edit(chunk.head, edit)
                    if data is not None:
                        chunk.replace(data)
        return response


def _ask_for_body(message: Request | IncomingResponse, mode: list[Any]) -> None:
    match mode:
        case ["stream"]:
            message.stream_body()
        case ["buffer", limit]:
            message.buffer_body(limit)
        case ["skip"]:
            message.skip_body()


def _edit(head: Request | IncomingResponse | HeldRequest | HeldResponse, op: list[Any]) -> None:
    kind, *values = op
    if kind in ("set", "append", "remove"):
        getattr(head.headers, kind)(*values)
    else:
        getattr(head, f"set_{kind}")(*values)


def _escaped(value: str | int | bytes) -> str:
    """Printable ASCII as it is, everything else and the backslash as ``\\xNN``."""
    data = value if isinstance(value, bytes) else str(value).encode()
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x5C else f"\\x{byte:02x}" for byte in data)


def _lines(message: object, names: str, headers: Iterable[tuple[str, bytes]] = ()) -> str:
    lines = []
    for name in names.split():
        if name == "headers":
            lines += [f"header={_escaped(field)}: {_escaped(value)}" for field, value in headers]
            continue
        value = getattr(message, name.replace("-", "_"))
        if isinstance(value, ClientCertificate):
            value = f"{value.subject} {','.join(value.names)} {value.sha256} {str(value.verified).lower()}"
        if value is not None:
            lines.append(f"{name}={_escaped(value)}")
    return "\n".join(lines)


_HEAD = "scheme authority client request-id route http-version client-certificate"
_SUMMARY = (
    "request-id method path query route authority client http-version started-at duration status request-bytes "
    "response-bytes outcome origin upstream upstream-duration endpoint tries context"
)


def _request(request: Request) -> str:
    return _lines(request, f"method path query headers {_HEAD}", request.headers)


def _response(response: IncomingResponse) -> str:
    return _lines(response, "status headers origin context", response.headers)


def _summary(summary: Summary) -> str:
    return _lines(summary, _SUMMARY)
