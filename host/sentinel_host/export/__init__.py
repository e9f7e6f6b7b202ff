"""Sending what operators see to an OpenTelemetry collector, over OTLP/HTTP, from a process of its
own.

`Exporter` runs in the process that knows the whole gateway: it takes records and counts and hands
them to the child process, one batch at a time (`messages`). The child (`__main__`) encodes with
`opentelemetry-proto` and sends (`sending`). Nothing that serves imports protobuf, encodes, or waits
for a collector.
"""

from __future__ import annotations

from sentinel_host.export.exporter import Exporter, Source

__all__ = ["Exporter", "Source"]
