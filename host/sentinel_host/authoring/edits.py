"""What a guest did, in lines for its author."""

from __future__ import annotations

from sentinel_host.messages import (
    Answer,
    BodyKind,
    BodyMode,
    Edit,
    HeaderEdit,
    RequestAction,
    RequestEdits,
    Response,
    ResponseAction,
    ResponseEdits,
)


def request_lines(action: RequestAction | None) -> list[str]:
    """What `on-request` did."""
    match action:
        case Answer():
            return answer_lines(action.response)
        case RequestEdits():
            lines = _header_lines(action.headers)
            changes = {"path": action.path, "query": action.query, "method": action.method, "upstream": action.upstream}
            lines += [f"{name}: {value}" for name, value in changes.items() if value is not None]
            if action.context:
                lines.append(f"context: {_text(action.context)}")
            return lines + _body_lines("request", action.body)
    return []


def response_lines(action: ResponseAction | None) -> list[str]:
    """What `on-response` did."""
    match action:
        case Response():
            return answer_lines(action)
        case ResponseEdits():
            lines = [f"response: {line}" for line in _header_lines(action.headers)]
            if action.status is not None:
                lines.append(f"response: status {action.status}")
            return lines + _body_lines("response", action.body)
    return []


def answer_lines(response: Response) -> list[str]:
    """A response of the guest's own."""
    headers = [f"  {_text(name)}: {_text(value)}" for name, value in response.headers]
    return [f"answers {response.status}, {len(response.body)} bytes", *headers]


def _header_lines(edits: list[HeaderEdit]) -> list[str]:
    return [
        f"removes {_text(name)}" if kind == Edit.REMOVE else f"{_VERBS[Edit(kind)]} {_text(name)}: {_text(value)}"
        for kind, name, value in edits
    ]


_VERBS = {Edit.SET: "sets", Edit.APPEND: "appends"}


def _body_lines(what: str, mode: BodyMode) -> list[str]:
    if mode.kind is BodyKind.SKIP:
        return []
    limit = f" up to {mode.limit:,} bytes" if mode.kind is BodyKind.BUFFER else ""
    return [f"asks for the {what}'s body, {mode.kind.name.lower()}ed{limit}"]


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
