"""What it costs that a guest works on a body: a large text through the gateway with and without
one.

``python -m tests.bench.bodies [--json FILE] [--quick]``. The guest is the redactor, in each
language; the text is lines of a log with a card number in each 4 KiB. The gateway has one core;
upstream and client are threads of this process on another, which send and receive plain bytes.
Every gateway is kept running, and they take turns: rates are medians. What is held to a bar is how
much a second of CPU is enough for: other work on the machine changes it less than the rate.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.contestants import ROOT
from tests.bench.processes import BenchError, Server, cores, free_port, scratch, server
from tests.bench.report import Report, median, parse_options, table

CARD = b"4111111111111111"
LANGUAGES = ("rust", "assemblyscript")
AT_LEAST = {"rust": 600, "assemblyscript": 250}
"""MiB for a second of the gateway's CPU."""
_CONFIG = """\
[server]
bind = ["127.0.0.1:{port}"]

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:{upstream}"]

[[route]]
path = "/"
upstream = "origin"
chain = [{chain}]
"""


def text(size: int = 1 << 16) -> bytes:
    """A piece of the body: what a service logs, with the numbers of orders and times in it."""
    lines, length, number = [], 0, 0
    while length < size:
        number += 1
        card = CARD if number % 40 == 0 else b"none"
        line = b"2026-01-02T03:04:05 INFO shop order=%06d items=%d card=%b status=accepted host=web-%d\n" % (
            number,
            number % 7,
            card,
            number % 3,
        )
        lines.append(line)
        length += len(line)
    return b"".join(lines)


@contextlib.contextmanager
def upstream(pieces: int, piece: bytes) -> Iterator[int]:
    """Answers every request with the piece that many times; gives its port."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % (pieces * len(piece))

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                connection.sendall(head)
                for _ in range(pieces):
                    connection.sendall(piece)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def gateway(name: str, folder: Path, core: int, behind: int) -> Iterator[Server]:
    """A gateway whose chain is the redactor of that language, or empty."""
    home = folder / name
    (home / "guests").mkdir(parents=True)
    if name != "none":
        artefact = ROOT / "build" / "guests" / name / "redactor.wasm"
        if not artefact.is_file():
            raise BenchError(f"{artefact} is not there: `nox -s guests` builds it")
        shutil.copy(artefact, home / "guests")
    port = free_port()
    config = home / "sentinel.toml"
    config.write_text(_CONFIG.format(port=port, upstream=behind, chain="" if name == "none" else '"redactor"'))
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    with server(name, command, port, folder, core) as running:
        yield running


def download(target: Server, size: int, masked: bool) -> tuple[float, float]:
    """MiB a second, and MiB for each second of the gateway's CPU.

    Raises `BenchError` when bytes are missing, or a card number is there that should not be.
    """
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    buffer = bytearray(1 << 18)
    before, begin = target.cpu(), time.perf_counter()
    connection.request("GET", "/")
    response = connection.getresponse()
    first = response.read(1 << 16)
    received = len(first)
    while count := response.readinto(buffer):
        received += count
    taken, used = time.perf_counter() - begin, target.cpu() - before
    connection.close()
    if response.status != 200 or received != size or (CARD in first) == masked:
        raise BenchError(f"{target.name}: status {response.status}, {received} of {size} bytes\n{target.log()}")
    return size / (1 << 20) / taken, size / (1 << 20) / used


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("Bodies through a guest: MiB a second.")
    rounds, mib = (2, 128) if options.quick else (7, 256)
    tested, loading = cores()
    os.sched_setaffinity(0, {loading})
    piece = text()
    pieces = (mib << 20) // len(piece)
    rates: dict[str, list[float]] = {}
    by_cpu: dict[str, list[float]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = stack.enter_context(upstream(pieces, piece))
        servers = {who: stack.enter_context(gateway(who, folder, tested, behind)) for who in ("none", *LANGUAGES)}
        for _ in range(rounds):
            for who, target in servers.items():
                rate, mib_per_cpu = download(target, pieces * len(piece), masked=who != "none")
                rates.setdefault(who, []).append(rate)
                by_cpu.setdefault(who, []).append(mib_per_cpu)

    report = Report()
    print(f"{mib} MiB of text, medians of {rounds} rounds:")
    table(
        ("guest", "MiB/s", "MiB for a second of CPU"),
        [(who, median(rates[who]), median(by_cpu[who])) for who in servers],
    )
    for who in servers:
        report.add(f"bodies.mib_per_s.{who}", median(rates[who]))
        report.add(f"bodies.mib_per_cpu_s.{who}", median(by_cpu[who]))
    for who, least in AT_LEAST.items():
        report.bar(f"{who}, MiB for a second of CPU", median(by_cpu[who]), at_least=least)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
