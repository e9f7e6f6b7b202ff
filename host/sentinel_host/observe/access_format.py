"""Entries of the access log as lines: JSON with chosen fields, the common log formats, or a text
with fields in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from sentinel_host.config.access_layout import COMBINED, COMMON, DEFAULT_FIELDS, JSON, parse_layout
from sentinel_host.memo import Memo
from sentinel_host.messages import Origin, Outcome, Summary
from sentinel_host.observe.access_log import Entry
from sentinel_host.sandbox.text import escape

Formatter = Callable[[Sequence[Entry]], list[bytes]]
"""Makes pieces of whole lines."""

_OUTCOMES: Final = {outcome: outcome.name.lower().replace("_", "-") for outcome in Outcome}
_ORIGINS: Final = {origin: origin.name.lower() for origin in Origin}

_SUMMARY: Final[dict[str, tuple[str, Callable[[Any], Any] | None]]] = {
    "time": ("started_at", lambda started_at: _rfc3339(started_at)),
    "request_id": ("request_id", None),
    "client": ("client", None),
    "method": ("method", None),
    "path": ("path", None),
    "query": ("query", None),
    "authority": ("authority", None),
    "http_version": ("http_version", None),
    "route": ("route", None),
    "status": ("status", None),
    "outcome": ("outcome", _OUTCOMES.__getitem__),
    "origin": ("origin", _ORIGINS.__getitem__),
    "duration_ms": ("duration", lambda duration: duration / 1000),
    "request_bytes": ("request_bytes", None),
    "response_bytes": ("response_bytes", None),
    "upstream": ("upstream", None),
    "endpoint": ("endpoint", None),
    "upstream_ms": ("upstream_duration", lambda duration: None if duration is None else duration / 1000),
    "tries": ("tries", None),
}
# Where an entry has what its summary has not.
_BESIDE: Final = {"trace_id": 1, "user_agent": 2, "referer": 3}

_HEADER_FIELDS: Final = frozenset(("user_agent", "referer"))


def formatter(layout: str, fields: Sequence[str]) -> tuple[Formatter, bool]:
    """What makes lines of a layout that has been checked, and whether it needs header fields."""
    if layout == JSON:
        return _json(fields or DEFAULT_FIELDS), bool(_HEADER_FIELDS & set(fields))
    if layout in (COMMON, COMBINED):
        return _apache(layout == COMBINED), layout == COMBINED
    parts = parse_layout(layout)
    return _text(parts), any(name in _HEADER_FIELDS for _, name in parts)


def _reader(fields: Sequence[str]) -> Callable[[Entry], list[Any]]:
    """What takes the values of these fields out of an entry."""
    # A summary has no field for those beside it; any will do until they are put in.
    told = [_SUMMARY.get(name, ("status", None)) for name in fields]
    get = attrgetter("status", *(attribute for attribute, _ in told))
    converted = [(index, convert) for index, (_, convert) in enumerate(told, 1) if convert is not None]
    beside = [(index, _BESIDE[name]) for index, name in enumerate(fields, 1) if name in _BESIDE]

    def read(entry: Entry) -> list[Any]:
        # Of one field alone there would be no tuple: the first is left out again.
        values = list(get(entry[0]))
        for index, convert in converted:
            values[index] = convert(values[index])
        for index, place in beside:
            values[index] = entry[place]
        return values[1:]

    return read


def _json(fields: Sequence[str]) -> Formatter:
    read = _reader(fields)
    # The names of a struct's fields are encoded once, and not for each line.
    line: Callable[..., Any] = msgspec.defstruct("Line", [(name, object) for name in fields], gc=False)
    encode = msgspec.json.Encoder().encode_lines

    def render(entries: Sequence[Entry]) -> list[bytes]:
        return [encode([line(*read(entry)) for entry in entries])]

    def render_usual(entries: Sequence[Entry]) -> list[bytes]:
        return [
            encode([line(*read(entry))]) if (text := _usual_line(entry[0])) is None else text.encode("ascii")
            for entry in entries
        ]

    return render_usual if tuple(fields) == DEFAULT_FIELDS else render


def _usual_line(summary: Summary) -> str | None:
    """A line of `DEFAULT_FIELDS`, or nothing where a text has a character that JSON escapes.

    It costs a third of what an encoder does: nearly all lines are like this.
    """
    told = f"{summary.method}{summary.path}{summary.client}"
    if '"' in told or "\\" in told or not (told.isascii() and told.isprintable()):
        return None
    return (
        f'{{"time":"{_rfc3339(summary.started_at)}","request_id":"{summary.request_id}","client":"{summary.client}",'
        f'"method":"{summary.method}","path":"{summary.path}","status":{summary.status},'
        f'"duration_ms":{summary.duration / 1000},"response_bytes":{summary.response_bytes},'
        f'"route":{_name(summary.route)},"upstream":{_name(summary.upstream)},"endpoint":{_name(summary.endpoint)},'
        f'"outcome":"{_OUTCOMES[summary.outcome]}"}}\n'
    )


def _name(name: str | None) -> str:
    """A name of the configuration as JSON; there are few."""
    if name is None:
        return "null"
    known = _names.known.get(name)
    if known is None:
        known = json.dumps(name)
        _names.keep(name, known)
    return known


_names: Final[Memo[str, str]] = Memo(1024)


def _apache(combined: bool) -> Formatter:
    def render(entries: Sequence[Entry]) -> list[bytes]:
        return [_apache_line(entry, combined).encode("utf-8", "replace") for entry in entries]

    return render


def _apache_line(entry: Entry, combined: bool) -> str:
    summary = entry[0]
    target = summary.path if summary.query is None else f"{summary.path}?{summary.query}"
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(summary.started_at // 1_000_000))
    request = _quoted(f"{summary.method} {target} HTTP/{summary.http_version}")
    line = f"{summary.client or '-'} - - [{when}] {request} {summary.status} {summary.response_bytes or '-'}"
    return f"{line} {_quoted(entry[3] or '-')} {_quoted(entry[2] or '-')}\n" if combined else f"{line}\n"


def _quoted(text: str) -> str:
    return json.dumps(escape(text), ensure_ascii=False)


def _text(parts: list[tuple[str, str | None]]) -> Formatter:
    read = _reader([name for _, name in parts if name is not None])
    literals = [literal for literal, name in parts if name is not None]
    end = "".join(literal for literal, name in parts if name is None)

    def render(entries: Sequence[Entry]) -> list[bytes]:
        lines = []
        for entry in entries:
            told = [text + _plain(value) for text, value in zip(literals, read(entry), strict=True)]
            lines.append(f"{''.join(told)}{end}\n".encode("utf-8", "replace"))
        return lines

    return render


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return escape(value) if isinstance(value, str) else str(value)


_second = (0, "")


def _rfc3339(microseconds: int) -> str:
    """A time in UTC with milliseconds. Its second's text is kept, for entries come in order."""
    global _second
    seconds, rest = divmod(microseconds, 1_000_000)
    if _second[0] != seconds:
        _second = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)))
    return f"{_second[1]}.{rest // 1000:03d}Z"
