"""What operators see of a gateway that can be configured: traces, where they are sent, and logs."""

from __future__ import annotations

from typing import Literal

import msgspec

from sentinel_host.config.units import Seconds


class TracingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How requests take part in traces (W3C Trace Context). Without this table they do not.

    `traceparent` and `tracestate` are believed from `server.trusted_proxies`, made where there are
    none, shown to guests and sent to upstreams.
    """

    # Envoy and OpenTelemetry sample all by default.
    share: float = 0.01
    """The share of the traces that begin here that are sampled; of others, the caller decides."""
    slow: Seconds = Seconds(1)
    """Time beyond which a request is recorded all the same. Requests that fail are, too."""


class OtlpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where traces are sent, and metrics and logs on request: an OpenTelemetry collector, over
    OTLP/HTTP.

    A process of its own sends. What the collector does not take soon enough is dropped and counted.
    """

    endpoint: str | None = None
    """The collector's URL, such as `http://127.0.0.1:4318`, without `/v1/traces`. Without it
    nothing is sent.
    """
    headers: dict[str, str] = {}
    """Header fields for the collector, such as a token's."""
    # OpenTelemetry's exporters.
    timeout: Seconds = Seconds(10)
    """Time for one request to the collector, which is sent again within it where that may help."""
    ca: str | None = None
    """PEM file of authorities for the collector's certificate, instead of the system's."""
    service: str = "sentinel"
    """`service.name` of what is sent."""
    metrics: bool = False
    """Whether the figures of `/metrics` are sent, too."""
    # OpenTelemetry's exporters wait 60 s, Prometheus asks each 15 s as a rule.
    interval: Seconds = Seconds(15)
    """Time between two times that metrics are sent."""
    logs: bool = False
    """Whether the lines of the log are sent, too; guests' lines are among them."""


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log of the gateway and of its guests."""

    format: Literal["auto", "text", "json"] = "auto"
    """Coloured lines for people, or JSON; `auto`: lines on a terminal, JSON elsewhere."""
    level: Literal["trace", "debug", "info", "warn", "error"] = "info"
    """The least level that is written; for one guest, `guest.NAME.log_level` says another."""
    file: str | None = None
    """A file to append to, instead of stdout. SIGUSR1 opens it anew."""


class AccessLogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line for each request, written by the gateway itself. Without this table there is none."""

    to: str = "stdout"
    """`stdout`, a file to append to, or `unix:PATH` for a socket that takes a datagram for each
    line.
    """
    format: str = "json"
    """`json`, `common`, `combined`, or a text with fields: `"{client} {method} {path} {status}"`.
    """
    fields: list[str] = []
    """Fields of JSON, in this order; by default the usual ones."""
