"""The gateway's own access log: lines of requests that are over, gathered until somebody writes
them.

A request pays for its line, which C makes. Writing is the work of a thread, in batches.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns
from typing import Any, Final

from sentinel_host.messages import Headers, Summary
from sentinel_host.observe.access_format import Layout
from sentinel_host.sandbox.text import readable

# Bytes of one batch: what a worker at its limit serves in a few hundredths of a second.
_BATCH: Final = 1 << 16
# Bytes of a field that is told.
_MOST_FIELD: Final = 1024


class AccessLog:
    """Gathers lines of a layout and hands them to ``submit`` in batches of whole lines, at the
    latest when `flush` is called.

    ``with_trace`` tells whether `add` has to be told the trace's id.
    """

    __slots__ = ("_lines", "_submit", "_with_fields", "with_trace")

    def __init__(self, layout: Layout, submit: Callable[[bytes], None]) -> None:
        self._lines = layout.lines()
        self._submit = submit
        self._with_fields = layout.with_fields
        self.with_trace = layout.with_trace

    def add(self, summary: Summary, headers: Headers, trace_id: str) -> None:
        """A request is over."""
        agent = referer = ""
        if self._with_fields:
            for name, value in headers:
                if name == b"user-agent":
                    agent = readable(value[:_MOST_FIELD])
                elif name == b"referer":
                    referer = readable(value[:_MOST_FIELD])
        if self._lines.add(summary, trace_id, agent, referer) >= _BATCH:
            self.flush()

    def add_refused(self, scope: dict[str, Any], status: int) -> None:
        """A request was refused that reached no route; what it says has not been checked."""
        client = scope.get("client")
        raw: bytes = scope.get("raw_path") or b""
        query: bytes = scope.get("query_string") or b""
        summary = Summary(
            request_id="",
            method=readable(scope["method"].encode()[:_MOST_FIELD]),
            path=readable(raw.partition(b"?")[0][:_MOST_FIELD]),
            query=readable(query[:_MOST_FIELD]) if query else None,
            route="",
            authority="",
            client=client[0] if client else "",
            http_version=scope["http_version"],
            started_at=time_ns() // 1000,
            status=status,
        )
        self.add(summary, scope["headers"], "")

    def flush(self) -> None:
        """Hand over what waits."""
        lines = self._lines.take()
        if lines:
            self._submit(lines)
