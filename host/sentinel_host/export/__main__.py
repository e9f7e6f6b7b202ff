"""The process that encodes and sends: ``python -m sentinel_host.export FD``, executed by
`Exporter`.
"""

from __future__ import annotations

import signal
import socket
import sys

from sentinel_host.export.lines import logs_request
from sentinel_host.export.messages import HEADER, Batch, Sent, Settings, frame, parse
from sentinel_host.export.points import metrics_request
from sentinel_host.export.sending import LOGS, METRICS, TRACES, Collector
from sentinel_host.export.spans import trace_request
from sentinel_host.observe import RequestRecord, Taken


def main(descriptor: int) -> None:
    """Send what comes over the socket, until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as sock:
        first = _receive(sock)
        if first is None:
            return
        settings = parse(first, Settings)
        collector = Collector(settings)
        while (body := _receive(sock)) is not None:
            sock.sendall(frame(export(collector, settings, parse(body, Batch))))


def export(collector: Collector, settings: Settings, batch: Batch) -> Sent:
    """Send a batch, signal by signal; returns what became of it."""
    taken: dict[str, int] = {}
    lost: dict[str, int] = {}
    errors = []

    def send(signal: str, request: tuple[bytes, int]) -> None:
        body, count = request
        rejected, error = collector.send(signal, body)
        if error:
            errors.append(error)
        lost[signal] = count if rejected < 0 else min(rejected, count)
        taken[signal] = count - lost[signal]

    sampled = [record for record in _decoded(batch) if record.sampled and record.trace_id]
    if sampled:
        send(TRACES, trace_request(sampled, settings.resource))
    if batch.snapshot is not None:
        send(METRICS, metrics_request(batch.snapshot, settings.resource, batch.began, batch.now))
    if batch.lines:
        send(LOGS, logs_request(batch.lines, settings.resource))
    return Sent(taken, lost, "; ".join(dict.fromkeys(errors)))


def _decoded(batch: Batch) -> list[RequestRecord]:
    return Taken(batch.records, 0).decoded()


def _receive(sock: socket.socket) -> bytes | None:
    header = _exactly(sock, HEADER)
    return None if header is None else _exactly(sock, int.from_bytes(header, "big"))


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        more = sock.recv(min(size - len(data), 1 << 20))
        if not more:
            return None
        data += more
    return bytes(data)


if __name__ == "__main__":
    main(int(sys.argv[1]))
