"""Large bodies: 1 GiB each way through the gateway and through nginx, one from TLS, and an upload
to a slow reader.

``python -m tests.bench.stream [--json FILE] [--quick]``. Downloads come from an nginx that sends a
file, uploads go to a `sink`; the client is `transfer`. None of them copies a byte, so that the
process under test bounds the rate. The file has been written to a disk's file system, as static
servers have theirs, and lies in the kernel's cache. A sparse file is the kernel's one page of zeros
over and over, which whoever copies finds in the processor's first cache; one in memory (tmpfs)
comes in pieces of 4 KiB. Before the first round, each of them passes on a file of random bytes,
which is compared. The gateway and nginx run at once and take turns; rates are medians of the
rounds, the ratios are taken within a round, and memory is the highest of all rounds: what the
process tree held at most during a transfer, above what it held before. CPU is that of the process
tree.

nginx passes bodies on as they come (proxy_request_buffering off) and never puts them on disk, with
buffers of 64 KiB, which made it faster than its defaults do. The download from TLS comes from an
nginx with `listen … ssl`, of which the other nginx is a proxy with `proxy_pass https`, which does
not verify its certificate.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import contestants, transfer
from tests.bench.processes import (
    BenchError,
    PeakMemory,
    Server,
    cores,
    free_port,
    resident,
    scratch,
    server,
    tool,
    version_of,
)
from tests.bench.report import Report, median, parse_options, table
from tests.support.certificates import self_signed

SLOW_RATE = 1_000_000
DIRECTIONS = ("up", "down", "tls")
AT_LEAST = {"up": 1.1, "down": 1.1, "tls": 0.7}
"""Our rate over nginx's."""
CPU_AT_MOST = {"up": 0.75, "down": 0.9, "tls": 1.5}
"""Our CPU over nginx's."""
_DISK = "/var/tmp"
"""What lies here outlives a restart, so that it is on a disk as a rule."""
_SAMPLE = 16 << 20
"""Bytes of the file that is compared: enough for each way that a long body may take."""
_LOCATION = """\
      proxy_request_buffering off;
      client_body_buffer_size 64k;
      proxy_buffer_size 64k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;
      proxy_max_temp_file_size 0;
"""


@contextlib.contextmanager
def sink(folder: Path, core: int, *rate: str) -> Iterator[Server]:
    """The upstream for uploads."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.sink", str(port), *rate]
    with server(f"sink{port}", command, port, folder, core, cwd=contestants.ROOT) as running:
        yield running


def measure(target: Server, direction: str, file: Path) -> tuple[float, float, float]:
    """MiB a second, seconds of CPU for each GiB, and MiB by which the memory of ``target`` grew.

    Raises `BenchError` when bytes are missing.
    """
    size = file.stat().st_size
    # The tree is looked up once: all of /proc, many times a second, would cost as much as the load.
    members = target.processes()
    before = target.cpu()
    with PeakMemory(lambda: resident(members)) as memory:
        if direction == "up":
            seconds = transfer.upload(target, file)
        else:
            seconds = transfer.download(target, f"/{file.name}", size)
    used = target.cpu() - before
    return size / (1 << 20) / seconds, used / size * (1 << 30), memory.growth_mib


def slow_upload(target: Server, seconds: float, core: int) -> float:
    """MiB by which memory grew while a chunked upload without end met a reader of 1 MB/s for that
    long.
    """
    command = [tool("curl"), "-sS", "-T", "-", "-H", "Expect:", "--max-time", f"{seconds:g}", target.url + "/slow"]
    with open("/dev/zero", "rb") as zeros, PeakMemory(target.memory) as memory:
        begin = time.monotonic()
        result = subprocess.run(
            [tool("taskset"), "-c", str(core), *command], stdin=zeros, capture_output=True, check=False
        )
        taken = time.monotonic() - begin
    # curl's own code for the time that ran out: any other end means that the upload did not last.
    if result.returncode != 28:
        raise BenchError(f"the slow upload ended after {taken:.1f} s: {result.stderr!r}\n{target.log()}")
    return memory.growth_mib


def over_nginx(figures: dict[str, list[float]], direction: str) -> float:
    """The median of our figures over nginx's, round by round."""
    pairs = zip(figures[f"sentinel_{direction}"], figures[f"nginx_{direction}"], strict=True)
    return median(ours / theirs for ours, theirs in pairs)


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("Large bodies: MiB a second, and memory.")
    mib = 1024
    rounds, seconds = (3, 4.0) if options.quick else (7, 15.0)
    tested, loading = cores()
    os.sched_setaffinity(0, {loading})
    rates: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    growths: dict[str, list[float]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        enter, folder = stack.enter_context, Path(name)
        files = Path(enter(tempfile.TemporaryDirectory(prefix="sentinel-bench-", dir=_DISK)))
        file = files / "file"
        some = os.urandom(1 << 20)
        with file.open("wb") as whole:
            for _ in range(mib):
                whole.write(some)
        sample = files / "sample"
        sample.write_bytes(os.urandom(_SAMPLE))
        locations = f"root {files}; sendfile on; location / {{ }}"
        certificate = self_signed(folder, rsa=True)
        source = enter(contestants.upstream(folder, loading, locations)).port
        secure = enter(contestants.upstream(folder, loading, locations, certificate=certificate)).port
        drain = enter(sink(folder, loading)).port
        slow = enter(sink(folder, loading, str(SLOW_RATE))).port
        servers = {
            "sentinel_up": enter(contestants.sentinel("sentinel_up", folder, tested, drain)),
            "nginx_up": enter(contestants.nginx_proxy(folder, tested, drain, _LOCATION, name="nginx_up")),
            "sentinel_down": enter(contestants.sentinel("sentinel_down", folder, tested, source)),
            "nginx_down": enter(contestants.nginx_proxy(folder, tested, source, _LOCATION, name="nginx_down")),
            "sentinel_tls": enter(contestants.sentinel("sentinel_tls", folder, tested, secure, ca=certificate[0])),
            "nginx_tls": enter(
                contestants.nginx_proxy(folder, tested, secure, _LOCATION, name="nginx_tls", scheme="https")
            ),
        }
        for who, target in servers.items():
            (transfer.check_upload if who.endswith("_up") else transfer.check_download)(target, sample)
        for _ in range(rounds):
            for who, target in servers.items():
                rate, used, growth = measure(target, who.rpartition("_")[2], file)
                rates.setdefault(who, []).append(rate)
                cpu.setdefault(who, []).append(used)
                growths.setdefault(who, []).append(growth)
        slow_growth = slow_upload(enter(contestants.sentinel("sentinel_slow", folder, tested, slow)), seconds, loading)

    report = Report()
    report.versions |= {"nginx": version_of(tool("nginx"), "-v"), "curl": version_of(tool("curl"), "--version")}
    print(f"{mib} MiB a transfer, medians of {rounds} rounds:")
    table(
        ("", "MiB/s", "CPU s/GiB", "RSS growth MiB"),
        [(who, median(rates[who]), median(cpu[who]), max(growths[who])) for who in servers],
    )
    print()
    for who in servers:
        report.add(f"stream.mib_per_s.{who}", median(rates[who]))
        report.add(f"stream.cpu_s_per_gib.{who}", median(cpu[who]))
    for direction in DIRECTIONS:
        ratio = over_nginx(rates, direction)
        cpu_ratio = over_nginx(cpu, direction)
        report.add(f"stream.cpu_ratio.{direction}", cpu_ratio)
        report.bar(f"{direction}, CPU over nginx's", cpu_ratio, at_most=CPU_AT_MOST[direction])
        growth = max(growths[f"sentinel_{direction}"])
        report.add("stream.tls_upstream_ratio" if direction == "tls" else f"stream.ratio.{direction}", ratio)
        report.add(f"stream.rss_growth_mib.{direction}", growth)
        report.bar(f"{direction}, rate over nginx's", ratio, at_least=AT_LEAST[direction])
        report.bar(f"{direction}, memory growth in MiB", growth, at_most=16)
    report.add("stream.rss_growth_mib.slow_upload", slow_growth)
    report.bar(f"upload to a reader of 1 MB/s for {seconds:g} s, memory growth in MiB", slow_growth, at_most=10)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
