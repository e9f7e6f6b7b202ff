"""W3C Trace Context: which trace a request belongs to, as its header fields say.

https://www.w3.org/TR/trace-context/: ``traceparent`` is version, trace id, parent id and flags;
``tracestate`` is a list that is passed on unread.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, NamedTuple

TRACEPARENT: Final = b"traceparent"
TRACESTATE: Final = b"tracestate"

# Section 3.3.1.1: at least that much of a tracestate is to be passed on; longer ones are dropped.
_MOST_STATE: Final = 512
_SAMPLED: Final = 1
# Neither the id nor its second half, which is the first span's, is zero.
_TRACE_ID: Final = re.compile(r"[0-9a-f]{16}(?!0{16})[0-9a-f]{16}")
# Section 3.2.2: a higher version may have more behind another dash.
_FORM: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TraceParent(NamedTuple):
    """What a ``traceparent`` says: ids in hexadecimal, and whether the caller records the trace."""

    trace_id: str
    parent_id: str
    sampled: bool


def read_trace_parent(value: bytes) -> TraceParent | None:
    """What the field says, or nothing if it is not valid."""
    found = _FORM.fullmatch(value)
    if found is None:
        return None
    version, trace_id, parent_id, flags, rest = found.groups()
    if version == b"ff" or (version == b"00" and rest is not None):
        return None
    if trace_id.count(b"0") == len(trace_id) or parent_id.count(b"0") == len(parent_id):
        return None
    return TraceParent(trace_id.decode(), parent_id.decode(), bool(int(flags, 16) & _SAMPLED))


def write_trace_parent(trace_id: str, span_id: str, sampled: bool) -> bytes:
    """The field for whom the span calls."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}".encode("ascii")


def trace_id_of(request_id: str, is_own: bool) -> str:
    """The id of a trace that begins with this request: the request's own, if it may be one, so that
    either is found by the other. ``is_own`` says that it was made here, of random bits, so that
    there is nothing to check.
    """
    if is_own or _TRACE_ID.fullmatch(request_id) is not None:
        return request_id
    return sha256(request_id.encode()).hexdigest()[:32]


def readable_state(value: bytes) -> str:
    """A tracestate that may be passed on, or nothing."""
    return value.decode("ascii") if len(value) <= _MOST_STATE and value.isascii() else ""


def span_of_try(span_id: str, number: int) -> str:
    """The span of a request's try of an upstream, counted from 1."""
    return f"{int(span_id, 16) ^ number:016x}"


def span_of_hook(span_id: str, number: int) -> str:
    """The span of a request's call of a guest's hook, counted from 0."""
    return f"{int(span_id, 16) ^ (number + 1) << 32:016x}"
