"""How soon a saved guest is live, what swaps cost those who ask meanwhile, and what they leave
behind.

``python -m tests.bench.swap [--json FILE] [--quick]``. A guest is renamed into the folder of a
running gateway; the clock stops when the first request after that is answered which the new version
has served: the gateway says in its log when a version has taken over, and a request that is made
then is answered by it. Every example guest that needs no service of its own, in both languages;
"cached" is a file that was there before, "cold" one that nobody has ever seen.

The bars are 60 ms and 200 ms for 95 % of the swaps, no failed request, and 5 % of memory.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

from tests.bench import contestants
from tests.bench.load import Load, wrk
from tests.bench.processes import BenchError, Server, cores, free_port, scratch, server
from tests.bench.report import Report, parse_options, table
from tests.support.modules import with_custom

_CONFIG = """\
[server]
bind = ["127.0.0.1:{port}"]

[guests]
cache = "cache"

[guest.guest]
grants = {grants}
config = {config}

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:{upstream}"]

[[route]]
path = "/"
upstream = "origin"
chain = ["guest"]
"""
_CONFIGS = {
    "daily-quota": "{ limit = 1000000 }",
    "api-key-auth": '{ keys = { "demo-key" = "demo" } }',
    "header-injection": '{ response = { set = { "x-a" = "b" } } }',
    "ip-filter": '{ allow = ["127.0.0.0/8"] }',
    "path-rewrite": '{ strip_prefix = "/old", add_prefix = "/new" }',
}
_GRANTS = {"daily-quota": '["kv", "metrics"]'}
# They answer nobody with 200 without credentials, or a service that they ask.
_NEED_MORE = {"basic-auth", "forward-auth", "hmac-auth", "jwt-auth", "oidc-login", "token-introspection"}
# Between swaps: long enough for the next child that compiles to be ready, as it is for somebody who
# edits.
_PAUSE = 1.0


class Gateway:
    """A gateway with one guest, whose file is replaced again and again."""

    def __init__(self, running: Server, folder: Path) -> None:
        self.server = running
        self._folder = folder
        self._log = running.output
        self._read = 0

    def swap(self, data: bytes) -> float:
        """Rename a version into place; returns ms until a request has been answered by it."""
        temporary = self._folder / "guests" / "guest.tmp"
        temporary.write_bytes(data)
        self._read = self._log.stat().st_size
        begun = time.perf_counter()
        temporary.rename(self._folder / "guests" / "guest.wasm")
        self._wait()
        status, _, _ = self.server.fetch(headers=contestants.KEY)
        taken = (time.perf_counter() - begun) * 1000
        if status != 200:
            raise BenchError(f"status {status} after a swap\n{self.server.log()}")
        return taken

    def memory(self) -> int:
        """Resident bytes of the process that serves, without the child that waits for something to
        compile.
        """
        status = Path(f"/proc/{self.server.processes()[0]}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024

    def _wait(self) -> None:
        end = time.monotonic() + 30
        with self._log.open("rb") as log:
            log.seek(self._read)
            said = b""
            while b"guest guest: " not in said:
                if b"was not replaced" in said or time.monotonic() > end:
                    raise BenchError(f"a version was not taken: {said.decode(errors='replace')}")
                said += log.read()
                time.sleep(0.0002)


@contextlib.contextmanager
def gateway(name: str, guest: Path, folder: Path, core: int | str, behind: int) -> Iterator[Gateway]:
    """A gateway that has a guest's file, under a name that is the same for all."""
    home = folder / name
    (home / "guests").mkdir(parents=True)
    shutil.copy(guest, home / "guests" / "guest.wasm")
    port = free_port()
    config = home / "sentinel.toml"
    settings = {"grants": _GRANTS.get(guest.stem, "[]"), "config": _CONFIGS.get(guest.stem, "{}")}
    config.write_text(_CONFIG.format(port=port, upstream=behind, **settings))
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    with server(name, command, port, folder, core) as running:
        yield Gateway(running, home)


def examples() -> list[Path]:
    """The example guests that are built, in Rust and AssemblyScript, but for those that ask a
    service.
    """
    folders = (contestants.ROOT / "build" / "guests" / language for language in ("rust", "assemblyscript"))
    built = (path for folder in folders for path in folder.glob("*.wasm"))
    found = sorted(path for path in built if path.stem not in _NEED_MORE)
    if not found:
        raise BenchError("no example guest is built: `nox -s guests` builds them")
    return found


def live_times(folder: Path, behind: int, rounds: int) -> dict[str, list[float]]:
    """The times of all swaps in ms, of every example guest: ``cold`` and ``cached``."""
    times: dict[str, list[float]] = {"cold": [], "cached": []}
    rows = []
    everywhere = ",".join(map(str, cores()))
    for guest in examples():
        name = f"{guest.parent.name}-{guest.stem}"
        data = guest.read_bytes()
        taken: dict[str, list[float]] = {"cold": [], "cached": []}
        with gateway(name, guest, folder, everywhere, behind) as running:
            time.sleep(_PAUSE)
            for number in range(rounds):
                taken["cold"].append(running.swap(with_custom(data, b"%d" % number)))
                time.sleep(_PAUSE)
            for number in range(rounds * 3):
                taken["cached"].append(running.swap(with_custom(data, b"%d" % (number % rounds))))
                time.sleep(0.05)
        for kind, values in taken.items():
            times[kind] += values
        rows.append((name, len(data) / 1024, *(percentile(taken[kind], 50) for kind in ("cached", "cold"))))
    table(("guest", "KiB", "cached, ms", "cold, ms"), rows)
    return times


def swaps_under_load(folder: Path, behind: int, seconds: int) -> tuple[Load, int, list[float]]:
    """What wrk saw while the guest was replaced every half second; how often it was, and how long
    each took.
    """
    tested, loading = cores()
    guest = contestants.ROOT / "build" / "guests" / "rust" / "api-key-auth.wasm"
    data = guest.read_bytes()
    seen: list[Load | BaseException] = []
    taken: list[float] = []
    with gateway("loaded", guest, folder, tested, behind) as running:
        for number in range(3):
            running.swap(with_custom(data, b"%d" % number))
        url = f"{running.server.url}/"

        def load() -> None:
            try:
                seen.append(wrk(url, loading, connections=32, seconds=seconds, headers=contestants.KEY))
            except BaseException as error:
                seen.append(error)

        thread = threading.Thread(target=load)
        begun = time.monotonic()
        thread.start()
        for number in count():
            # Every tenth is compiled, under load and on the same core.
            variant = b"new %d" % number if number % 10 == 9 else b"%d" % (number % 3)
            taken.append(running.swap(with_custom(data, variant)))
            time.sleep(max(0.0, begun + (number + 1) * 0.5 - time.monotonic()))
            if not thread.is_alive() or time.monotonic() > begun + seconds - 0.6:
                break
        thread.join()
    (result,) = seen
    if isinstance(result, BaseException):
        raise result
    return result, len(taken), taken


def growth(folder: Path, behind: int, swaps: int) -> tuple[float, float]:
    """By how many per cent the gateway's memory grew over so many swaps, and MiB before."""
    guest = contestants.ROOT / "build" / "guests" / "rust" / "api-key-auth.wasm"
    data = guest.read_bytes()
    versions = cycle([with_custom(data, b"%d" % number) for number in range(5)])
    with gateway("many", guest, folder, ",".join(map(str, cores())), behind) as running:
        for _ in range(max(50, swaps // 10)):
            running.swap(next(versions))
        before = running.memory()
        for _ in range(swaps):
            running.swap(next(versions))
        return (running.memory() / before - 1) * 100, before / (1 << 20)


def percentile(values: list[float], percent: float) -> float:
    """A value that so many per cent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("How soon a saved guest is live, in ms.")
    rounds, seconds, swaps = (2, 10, 200) if options.quick else (6, 60, 1000)
    report = Report()
    _, loading = cores()
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = stack.enter_context(contestants.upstream(folder, loading)).port
        times = live_times(folder, behind, rounds)
        seen, made, taken = swaps_under_load(folder, behind, seconds)
        grown, before = growth(folder, behind, swaps)
    for kind in ("cached", "cold"):
        for percent in (50, 95):
            report.add(f"swap.live_ms.{kind}_p{percent}", percentile(times[kind], percent))
    report.add("swap.failed_requests", seen.refused)
    report.add("swap.rss_growth_pct", grown)
    report.add("swap.loaded_ms_p50", percentile(taken, 50))
    half, most = percentile(taken, 50), percentile(taken, 95)
    print(
        f"\n{made} swaps in {seconds} s beside {seen.rps:.0f} requests/s: {seen.refused} of {seen.requests} failed, "
        f"p99 {seen.p99_ms:.3g} ms; live after {half:.3g} ms (p95 {most:.3g})"
    )
    print(f"{swaps} swaps: {before:.1f} MiB and {grown:+.2f} %\n")
    report.bar("live, cached, p95, ms", percentile(times["cached"], 95), at_most=60)
    report.bar("live, cold, p95, ms", percentile(times["cold"], 95), at_most=200)
    report.bar("failed requests", seen.refused, at_most=0)
    report.bar("swaps a minute under load", made * 60 / seconds, at_least=100)
    report.bar("memory, %", grown, at_most=5)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
