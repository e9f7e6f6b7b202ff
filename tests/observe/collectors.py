"""A collector in a thread: it decodes what it gets with the published protobufs."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.clocks import PATIENCE

_KINDS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class CollectorServer:
    """``requests`` are what came, decoded, by path; ``answers`` are statuses for the next traces,
    200 afterwards.

    While ``stalls`` is set, requests get no answer.
    """

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = {path: [] for path in _KINDS}
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        self.stalls = threading.Event()
        self.released = threading.Event()
        self._changed = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers["content-encoding"] == "gzip":
                    body = gzip.decompress(body)
                if collector.stalls.is_set():
                    collector.released.wait()
                status = collector.answers.pop(0) if collector.answers and self.path == "/v1/traces" else 200
                if status == 200:
                    collector.take(self.path, body, dict(self.headers))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        with self._changed:
            self.requests[path].append(_KINDS[path].FromString(body))
            self.headers.append(headers)
            self._changed.notify_all()

    def wait_for(self, path: str) -> Any:
        """The first request for this path, once it is there."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.requests[path], PATIENCE), f"nothing came to {path}"
            return self.requests[path][0]

    def spans(self, count: int = 1) -> list[Span]:
        """All spans, once there are that many."""
        end = time.monotonic() + PATIENCE
        while True:
            with self._changed:
                found = [
                    span
                    for request in self.requests["/v1/traces"]
                    for group in request.resource_spans
                    for scope in group.scope_spans
                    for span in scope.spans
                ]
                if len(found) >= count:
                    return found
                assert self._changed.wait(max(0.0, end - time.monotonic())), f"{len(found)} spans, not {count}"


@contextmanager
def collector_server() -> Iterator[CollectorServer]:
    collector = CollectorServer()
    thread = threading.Thread(target=collector.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.released.set()
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    """A span's attributes as plain values."""
    return {each.key: _plain(each.value) for each in span.attributes}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    return getattr(value, kind)
