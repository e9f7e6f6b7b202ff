"""What others notice of HTTP/2 floods: latencies of a probe alone, and beside a client that floods.

``python -m tests.bench.floods [--json FILE] [--quick]``. The probe asks at a fixed rate. The flood
comes from one client, which connects anew whenever it is shown out.

The flooder is a process of its own on the core of the load, in the scheduler's idle class: it has
all of the time that probe and upstream leave, which is most of it, and gives way as soon as they
have something to do. As a thread of this process it could run on the gateway's core, and where it
did not, a probe that was to be woken waited for its slice to end: the load generator was measured.
What it still costs the probe counts against the gateway. Everybody else asks for short slices of
time, and so begins at once when woken: by default one waits for whoever else is at work on the
machine until the clock ticks, 4 ms, which is four times the p99. Short rounds alternate, and the
middle one of their p99s is taken.

``floods.KIND_connections_s`` tells that there was a flood: how often it was shown out.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import contestants
from tests.bench.load import Paced, pace
from tests.bench.processes import BenchError, cores, scratch, tool, version_of
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
    "window_update": frame(8, 0, 0, b"\0\0\0\1") * 10_000,
}
# No budget ends these: an honest client sends as many as it downloads frames.
ENDLESS = {"window_update"}


# sched_setattr(2), which the C library does not have, by machine.
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SLICE_NS = 100_000


def ask_for_short_slices() -> None:
    """For this process and those that it starts; Linux knows that since 6.12, and an older one
    leaves all as it was.
    """
    call = _SCHED_SETATTR.get(os.uname().machine)
    if call is not None:
        # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period.
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = struct.pack("=IIQiIQQQ", 48, os.SCHED_OTHER, 0, nice, 0, _SLICE_NS, 0, 0)
        ctypes.CDLL(None).syscall(call, 0, ctypes.c_char_p(attributes), 0)


def flood(port: int, core: int, kind: str, ended: Any) -> None:
    """Send it again and again; counts the connections that were ended for it."""
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(_PREFACE + FLOODS[kind])
            while kind in ENDLESS:
                client.sendall(FLOODS[kind])
            while client.recv(65536):
                pass
            ended.value += 1


@contextlib.contextmanager
def flooding(port: int, core: int, kind: str) -> Iterator[list[float]]:
    """Flood for the length of the block; the list then has how many connections a second were
    ended.
    """
    context = multiprocessing.get_context("fork")
    ended = context.Value("L", 0)
    process = context.Process(target=flood, args=(port, core, kind, ended), daemon=True)
    process.start()
    begun = time.monotonic()
    rate: list[float] = []
    try:
        yield rate
    finally:
        rate.append(ended.value / (time.monotonic() - begun))
        process.kill()
        process.join()
    if not rate[0] and kind not in ENDLESS:
        raise BenchError(f"{kind}: no connection was ended for it")


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What others notice of HTTP/2 floods.")
    rounds, seconds = (3, 2) if options.quick else (9, 3)
    report = Report()
    tested, loading = cores()
    ask_for_short_slices()
    taken: dict[str, list[Paced]] = {}
    rates: dict[str, list[float]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = stack.enter_context(contestants.upstream(folder, loading)).port
        gateway = stack.enter_context(contestants.sentinel("sentinel", folder, tested, behind))
        port = int(gateway.url.rpartition(":")[2])

        def probe() -> Paced:
            return pace(gateway, loading, rate=RATE, connections=4, seconds=seconds, folder=folder)

        probe()
        for _ in range(rounds):
            taken.setdefault("alone", []).append(probe())
            for kind in FLOODS:
                with flooding(port, loading, kind) as rate:
                    taken.setdefault(kind, []).append(probe())
                rates.setdefault(kind, []).extend(rate)
    report.versions["h2load"] = version_of(tool("h2load"), "--version")
    p99 = {kind: median(each.percentile(99) for each in probes) for kind, probes in taken.items()}
    for kind, value in p99.items():
        report.add(f"floods.{kind}_p99_ms", value)
    for kind in FLOODS.keys() - ENDLESS:
        report.add(f"floods.{kind}_connections_s", median(rates[kind]))
    table(("", "p50 ms", "p99 ms"), [(k, median(e.percentile(50) for e in v), p99[k]) for k, v in taken.items()])
    print()
    worst = max(value for kind, value in p99.items() if kind != "alone")
    report.add("floods.ratio.p99", worst / p99["alone"])
    report.bar("the probe's p99 beside the worst flood, over that alone", worst / p99["alone"], at_most=2.0)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
