"""What others notice of HTTP/2 floods (ABUSE 32): latencies of a probe alone, and beside a client that floods.

``python -m tests.bench.floods [--json FILE] [--quick]``. The probe asks at a fixed rate. The flood comes from one
client, which connects anew whenever it is shown out; it has the core that the probe has, and thus costs the probe
something by itself.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.bench import contestants
from tests.bench.load import Paced, pace
from tests.bench.processes import cores, tool, version_of
from tests.bench.report import Report, median, parse_options, table

RATE = 200
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
# GET http://a/ in HPACK, by its static table but for the authority.
_HEAD = bytes.fromhex("828684410161")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """RFC 9113 section 4.1."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def resets() -> bytes:
    """Twelve hundred requests, each taken back at once."""
    return b"".join(frame(1, 5, n, _HEAD) + frame(3, 0, n, b"\0\0\0\x08") for n in range(1, 2400, 2))


FLOODS = {
    "rapid_reset": resets(),
    "ping": frame(6, 0, 0, b"12345678") * 1000,
    "settings": frame(4, 0, 0, b"\0\x04\0\0\xff\xff") * 1000,
    "continuation": frame(1, 0, 1, b"\x82") + frame(9, 0, 1) * 1000,
}


@contextlib.contextmanager
def flooding(port: int, flood: bytes) -> Iterator[list[int]]:
    """Send it again and again for the length of the block; counts connections."""
    stop = threading.Event()
    connections = [0]

    def run() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                connections[0] += 1
                client.sendall(_PREFACE + flood)
                while client.recv(65536):
                    pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield connections
    finally:
        stop.set()
        thread.join()


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What others notice of HTTP/2 floods.")
    rounds, seconds = (2, 2) if options.quick else (5, 5)
    report = Report()
    tested, loading = cores()
    taken: dict[str, list[Paced]] = {}
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = stack.enter_context(contestants.upstream(folder, loading)).port
        gateway = stack.enter_context(contestants.sentinel("sentinel", folder, tested, behind))
        port = int(gateway.url.rpartition(":")[2])

        def probe() -> Paced:
            return pace(gateway, loading, rate=RATE, connections=4, seconds=seconds, folder=folder)

        probe()
        for _ in range(rounds):
            taken.setdefault("alone", []).append(probe())
            for kind, flood in FLOODS.items():
                with flooding(port, flood):
                    taken.setdefault(kind, []).append(probe())
    report.versions["h2load"] = version_of(tool("h2load"), "--version")
    p99 = {kind: median(each.percentile(99) for each in probes) for kind, probes in taken.items()}
    for kind, value in p99.items():
        report.add(f"floods.{kind}_p99_ms", value)
    table(("", "p50 ms", "p99 ms"), [(k, median(e.percentile(50) for e in v), p99[k]) for k, v in taken.items()])
    print()
    worst = max(value for kind, value in p99.items() if kind != "alone")
    report.add("floods.ratio.p99", worst / p99["alone"])
    report.bar("the probe's p99 beside the worst flood, over that alone", worst / p99["alone"], at_most=2.0)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
