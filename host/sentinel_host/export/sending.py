"""OTLP/HTTP: one request of one signal, tried again for a while where the protocol says so.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import http.client
import random
import ssl
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sentinel_host.export.messages import Settings

TRACES: Final = "traces"
METRICS: Final = "metrics"
LOGS: Final = "logs"

# "Retryable Response Codes".
_RETRIED: Final = frozenset((429, 502, 503, 504))
_SUCCESS: Final = 200
# Seconds: the first pause, which doubles, and the longest.
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
# Of an answer: what the collector did not take, and why.
_MOST_ANSWER: Final = 65536


class Collector:
    """The collector's side of one connection, which is kept. ``sleep`` and ``clock`` count
    seconds.
    """

    def __init__(
        self,
        settings: Settings,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        url = urlsplit(settings.endpoint)
        self._settings = settings
        self._sleep = sleep
        self._clock = clock
        self._host = url.hostname or ""
        self._port = url.port
        self._prefix = url.path.rstrip("/")
        self._context = _context(settings.ca) if url.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def send(self, signal: str, body: bytes) -> tuple[int, str]:
        """How many items were not taken of those in ``body``, -1 for all, and why."""
        until = self._clock() + self._settings.timeout
        pause = _PAUSE
        while True:
            status, answer, wait = self._post(signal, body)
            if status == _SUCCESS:
                return _rejected(signal, answer)
            why = f"status {status}" if status else answer.decode(errors="replace")
            reason = f"{self._settings.endpoint}: {why}"
            wait = max(wait, pause * random.uniform(0.5, 1))
            if (status and status not in _RETRIED) or self._clock() + wait > until:
                return -1, reason
            self._sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _post(self, signal: str, body: bytes) -> tuple[int, bytes, float]:
        """The status, or 0 and a reason; the answer; and how many seconds to wait before the next
        try.
        """
        headers = {"content-type": "application/x-protobuf", **self._settings.headers}
        connection = self._connection or self._connect()
        self._connection = None
        try:
            connection.request("POST", f"{self._prefix}/v1/{signal}", body, headers)
            response = connection.getresponse()
            answer = response.read(_MOST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return 0, str(error).encode() or type(error).__name__.encode(), 0.0
        if response.will_close or response.read(1):
            connection.close()
        else:
            self._connection = connection
        after = response.headers.get("retry-after", "")
        return response.status, answer, min(float(after), _LONGEST_PAUSE) if after.isdigit() else 0.0

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._settings.timeout, context=self._context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._settings.timeout)


def _context(ca: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca.decode("ascii")) if ca else ssl.create_default_context()


def _rejected(signal: str, answer: bytes) -> tuple[int, str]:
    """What a collector did not take of a request that it answered with success ("Partial
    Success").
    """
    try:
        if signal == TRACES:
            told = ExportTraceServiceResponse.FromString(answer).partial_success
            return told.rejected_spans, told.error_message
        if signal == METRICS:
            counted = ExportMetricsServiceResponse.FromString(answer).partial_success
            return counted.rejected_data_points, counted.error_message
        logged = ExportLogsServiceResponse.FromString(answer).partial_success
        return logged.rejected_log_records, logged.error_message
    except Exception:
        # A collector that answers something else has taken it all the same.
        return 0, ""
