"""The cases of a guest's self-test: from its author's JSON to records for hooks, and the check of
answers.

wit/ABI.md section 7 is the format. No engine is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from sentinel_host.abi.decode import (
    decode_request_action,
    decode_request_body_action,
    decode_response_action,
    decode_response_body_action,
)
from sentinel_host.abi.encode import encode_config, encode_request_head, encode_response_head, encode_summary
from sentinel_host.abi.rules import AnswerLimits
from sentinel_host.errors import GuestLoadError
from sentinel_host.messages import (
    Answer,
    BodyKind,
    BodyMode,
    Edit,
    Headers,
    HeldRequest,
    HeldResponse,
    Origin,
    Outcome,
    RequestEdits,
    RequestHead,
    Response,
    ResponseEdits,
    ResponseHead,
    Summary,
)
from sentinel_host.sandbox.text import one_line

# Each case is an instance and a call: this many take some ten milliseconds.
_MOST_CASES = 256

HookName = Literal["on-request", "on-response", "on-complete", "on-request-chunk", "on-response-chunk"]
_OriginName = Literal["upstream", "guest", "gateway"]
_OutcomeName = Literal["completed", "client-aborted", "upstream-aborted", "gateway-aborted"]
_Fields = list[tuple[str, str]]


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A head as a case writes it; missing fields have defaults. Each kind of head has its
    ``record`` in bytes.
    """


class _Request(_Head, frozen=True):
    method: str = "GET"
    path: str = "/"
    query: str | None = None
    headers: _Fields = []
    scheme: str = "http"
    authority: str = "localhost"
    client: str = "127.0.0.1"
    request_id: str = "self-test"
    route: str = "/"
    http_version: str = "1.1"

    def record(self) -> bytes:
        return encode_request_head(RequestHead(**msgspec.structs.asdict(self) | {"headers": _headers(self.headers)}))


class _Response(_Head, frozen=True):
    status: int = 200
    headers: _Fields = []
    origin: _OriginName = "upstream"

    def record(self) -> bytes:
        return encode_response_head(ResponseHead(self.status, _headers(self.headers), Origin[self.origin.upper()]))


class _Summary(_Head, frozen=True):
    request_id: str = "self-test"
    method: str = "GET"
    path: str = "/"
    query: str | None = None
    route: str = "/"
    authority: str = "localhost"
    client: str = "127.0.0.1"
    http_version: str = "1.1"
    started_at: int = 0
    duration: int = 0
    status: int = 200
    request_bytes: int = 0
    response_bytes: int = 0
    outcome: _OutcomeName = "completed"
    origin: _OriginName = "upstream"
    upstream: str | None = None
    upstream_duration: int | None = None
    endpoint: str | None = None
    tries: int = 0

    def record(self) -> bytes:
        enums = {
            "outcome": Outcome[self.outcome.upper().replace("-", "_")],
            "origin": Origin[self.origin.upper()],
        }
        return encode_summary(Summary(**msgspec.structs.asdict(self) | enums))


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the answer must be; what is left out may be anything."""

    action: Literal["continue", "respond", "replace"]
    edits: list[list[str]] | UnsetType = UNSET
    context: str | UnsetType = UNSET
    path: str | UnsetType | None = UNSET
    query: str | UnsetType | None = UNSET
    method: str | UnsetType | None = UNSET
    upstream: str | UnsetType | None = UNSET
    status: int | UnsetType | None = UNSET
    headers: list[list[str]] | UnsetType = UNSET
    body: str | list[str | int] | UnsetType = UNSET
    chunk: str | UnsetType | None = UNSET


_HEADS: Mapping[str, type[_Request | _Response | _Summary]] = {
    "on-request": _Request,
    "on-response": _Response,
    "on-complete": _Summary,
}


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call: of ``hook`` with ``head``, or with ``chunk`` as the only one of its body, and what
    is expected.

    Without a ``config`` the guest has the one that it is to serve with.
    """

    name: str
    hook: HookName
    expect: Expected
    config: dict[str, Any] | None = None
    head: msgspec.Raw = msgspec.Raw(b"{}")
    chunk: str = ""
    context: str = ""

    def payload(self) -> bytes:
        """The hook's argument. Raises nothing: `parse_cases` has tried it."""
        head = _HEADS.get(self.hook)
        return self.chunk.encode() if head is None else msgspec.json.decode(self.head, type=head).record()

    def mismatch(self, answer: bytes | None, limits: AnswerLimits) -> str | None:
        """What is wrong with an answer, None when nothing is. Raises `AbiError` for one that breaks
        the contract.
        """
        told = told_answer(self.hook, answer, limits)
        expected = msgspec.to_builtins(self.expect)
        for key in ("action", *expected):
            if expected[key] != told.get(key):
                return f"{key}: expected {_show(expected[key])}, got {_show(told.get(key))}"
        return None


def parse_cases(section: bytes, path: str) -> tuple[Case, ...]:
    """The cases in a guest's section ``sentinel:self-test``; none when it is empty.

    Raises `GuestLoadError` that names the place.
    """
    if not section:
        return ()
    try:
        cases = msgspec.json.decode(section, type=list[Case])
    except msgspec.DecodeError as error:
        raise GuestLoadError(f"{path}: self-test: {one_line(str(error))}") from None
    if len(cases) > _MOST_CASES:
        raise GuestLoadError(f"{path}: self-test: {len(cases)} cases, at most {_MOST_CASES} are allowed")
    for case in cases:
        try:
            case.payload()
            encode_config(case.config or {})
        except (ValueError, TypeError, OverflowError) as error:
            # A number may be larger than records and configurations can hold.
            raise GuestLoadError(f"{path}: self-test {one_line(case.name)!r}: {one_line(str(error))}") from None
    return tuple(cases)


def _headers(fields: _Fields) -> Headers:
    return [(name.encode("ascii", "replace"), value.encode()) for name, value in fields]


def head_record(hook: str, fields: Mapping[str, Any]) -> bytes:
    """The record of a hook's head. ``fields`` are by their WIT names; missing ones have defaults.

    Raises `ValueError`, `TypeError` or `OverflowError` for what cannot be in one.
    """
    return msgspec.convert(fields, type=_HEADS[hook]).record()


def told_answer(hook: str, answer: bytes | None, limits: AnswerLimits) -> dict[str, object]:
    """An answer in the words of `Expected`. Raises `AbiError` for one that breaks the contract."""
    data = answer or b""
    if hook == "on-request":
        action = decode_request_action(data, limits)
        if isinstance(action, Answer):
            return _told_response(action.response) | {"context": _text(action.context)}
        return _told_request_edits(action or RequestEdits())
    if hook == "on-response":
        reaction = decode_response_action(data, limits)
        if isinstance(reaction, Response):
            return _told_response(reaction)
        return _told_response_edits(reaction or ResponseEdits())
    if hook == "on-request-chunk":
        return _told_chunk(decode_request_body_action(data, limits))
    if hook == "on-response-chunk":
        return _told_chunk(decode_response_body_action(data, limits))
    return {"action": "continue"}


def _told_request_edits(edits: RequestEdits) -> dict[str, object]:
    return {
        "action": "continue",
        "edits": _told_edits(edits.headers),
        "context": _text(edits.context),
        "path": edits.path,
        "query": edits.query,
        "method": edits.method,
        "upstream": edits.upstream,
        "body": _told_mode(edits.body),
    }


def _told_response_edits(edits: ResponseEdits) -> dict[str, object]:
    return {
        "action": "continue",
        "edits": _told_edits(edits.headers),
        "status": edits.status,
        "body": _told_mode(edits.body),
    }


def _told_chunk(action: bytes | Response | HeldRequest | HeldResponse | None) -> dict[str, object]:
    if action is None:
        return {"action": "continue"}
    if isinstance(action, Response):
        return _told_response(action)
    if isinstance(action, bytes):
        return {"action": "replace", "chunk": _text(action)}
    edits = action.edits
    told = _told_request_edits(edits) if isinstance(edits, RequestEdits) else _told_response_edits(edits)
    return told | {"chunk": None if action.chunk is None else _text(action.chunk)}


def _told_response(response: Response) -> dict[str, object]:
    headers = [[_text(name), _text(value)] for name, value in response.headers]
    return {"action": "respond", "status": response.status, "headers": headers, "body": _text(response.body)}


def _told_edits(edits: list[tuple[int, bytes, bytes]]) -> list[list[str]]:
    return [
        [Edit(kind).name.lower(), _text(name), *([] if kind == Edit.REMOVE else [_text(value)])]
        for kind, name, value in edits
    ]


def _told_mode(mode: BodyMode) -> str | list[str | int]:
    return ["buffer", mode.limit] if mode.kind is BodyKind.BUFFER else mode.kind.name.lower()


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _show(value: object) -> str:
    return one_line(msgspec.json.encode(value).decode())
