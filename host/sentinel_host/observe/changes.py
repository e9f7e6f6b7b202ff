"""What a guest's answer changes about a head, as operators are told it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sentinel_host.memo import Memo
from sentinel_host.messages import Edit, HeaderEdit, RequestEdits, ResponseEdits
from sentinel_host.observe.record import Change
from sentinel_host.sandbox.text import escape

MOST_CHANGES: Final = 64
"""Of one hook; more are left out."""

# Characters of one value: enough to tell what it is.
_MOST_TEXT: Final = 256
# Fields whose values open doors. They are told by their sizes.
_SECRET: Final = frozenset((b"authorization", b"cookie", b"proxy-authorization", b"set-cookie", b"x-sentinel-explain"))
_SECRET_PARTS: Final = (b"key", b"password", b"secret", b"token")
# Where the fields stand in `request-head` and `response-head` of wit/types.wit.
_METHOD: Final = 0
_PATH: Final = 1
_QUERY: Final = 2
_REQUEST_HEADERS: Final = 3
_STATUS: Final = 0
_RESPONSE_HEADERS: Final = 1

_decode: Final = msgspec.msgpack.Decoder().decode
# By the names of fields.
_secrets: Final = Memo[bytes, bool](1024)


def request_changes(record: bytes, edits: RequestEdits) -> list[Change]:
    """What these edits change about the request that ``record`` is, a ``request-head``."""
    if not edits.headers and edits.method is None and edits.path is None and edits.query is None:
        return [] if edits.upstream is None else [Change("upstream", after=(edits.upstream,))]
    head = _decode(record)
    changes = _header_changes(head[_REQUEST_HEADERS], edits.headers)
    if edits.method is not None:
        changes.append(_change("method", head[_METHOD], edits.method))
    if edits.path is not None:
        changes.append(_change("path", head[_PATH], edits.path))
    if edits.query is not None:
        changes.append(_change("query", head[_QUERY] or "", edits.query))
    if edits.upstream is not None:
        changes.append(Change("upstream", after=(edits.upstream,)))
    return changes[:MOST_CHANGES]


def response_changes(record: bytes, edits: ResponseEdits) -> list[Change]:
    """What these edits change about the response that ``record`` is, a ``response-head``."""
    if not edits.headers and edits.status is None:
        return []
    head = _decode(record)
    changes = _header_changes(head[_RESPONSE_HEADERS], edits.headers)
    if edits.status is not None:
        changes.append(Change("status", before=(str(head[_STATUS]),), after=(str(edits.status),)))
    return changes[:MOST_CHANGES]


def shown(name: bytes, value: bytes) -> str:
    """A field's value, cut, or its size if it is a secret."""
    if _is_secret(name):
        return f"({len(value)} bytes)"
    return _cut(escape(value[: _MOST_TEXT + 1].decode("utf-8", "replace")))


def _is_secret(name: bytes) -> bool:
    known = _secrets.known.get(name)
    if known is None:
        known = name in _SECRET
        for part in _SECRET_PARTS:
            if part in name:
                known = True
        _secrets.keep(name, known)
    return known


def _header_changes(fields: list[list[Any]], edits: list[HeaderEdit]) -> list[Change]:
    """``fields`` are those of a record: the ones that no edit names stay as they are."""
    if not edits:
        return []
    # By their names as a record has them: the values before and after, and the name.
    touched: dict[str, tuple[list[bytes], list[bytes], bytes]] = {}
    for _, name, _ in edits:
        touched[name.decode()] = ([], [], name)
    for text, value in fields:
        found = touched.get(text)
        if found is not None:
            found[0].append(value)
            found[1].append(value)
    for kind, name, value in edits:
        now = touched[name.decode()][1]
        if kind != Edit.APPEND:
            now.clear()
        if kind != Edit.REMOVE:
            now.append(value)
    changes: list[Change] = []
    for text, (was, now, name) in touched.items():
        if was != now:
            changes.append(Change("header", text, _all_shown(name, was), _all_shown(name, now)))
    return changes


def _all_shown(name: bytes, values: list[bytes]) -> tuple[str, ...]:
    return tuple([shown(name, value) for value in values])


def _change(part: str, before: str, after: str) -> Change:
    return Change(part, before=(_cut(before),), after=(_cut(after),))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"
