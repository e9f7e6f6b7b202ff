"""Servers under test as process trees: pinned to a core, started, measured by the kernel's
accounting, stopped.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.wakeups import wake_ups

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/PID/stat after the command's closing parenthesis: proc(5) counts from 1 and the
# first of these is 3.
_PARENT, _UTIME, _RSS = 1, 11, 21


class BenchError(RuntimeError):
    """A server or a tool that does not do what a benchmark needs of it."""


def cores() -> tuple[int, int]:
    """The core for what is under test, and the one for load and upstream."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise BenchError("a benchmark needs two cores: one under test, one for load and upstream")
    return available[0], available[1]


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for a benchmark's files, in memory where that can be: lines of logs must not wait
    for a disk.
    """
    memory = "/dev/shm"
    return tempfile.TemporaryDirectory(prefix="sentinel-bench-", dir=memory if os.access(memory, os.W_OK) else None)


def free_port() -> int:
    """A port of loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tool(name: str) -> str:
    """The path of a program; raises `BenchError` when it is not installed."""
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found is None:
        raise BenchError(f"{name} is not installed; `nox -s bench` installs what a benchmark needs")
    return found


def version_of(*command: str) -> str:
    """The first line that a program says about its version."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    return lines[0] if lines else "unknown"


class Server:
    """A process tree that listens on ``port``; ``output`` is the file that takes its standard
    output.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
        self.name = name
        self.port = port
        self.output = output
        self._process = process

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[int]:
        """The ids of the whole tree."""
        return _tree(self._process.pid)

    def cpu(self) -> float:
        """Seconds of CPU, user and system, that the tree has used, children that ended and were
        waited for included.

        The kernel counts them in nanoseconds and shows them in hundredths of a second: measure over
        a second or more.
        """
        total = 0
        for pid in self.processes():
            fields = _stat(pid)
            if fields is not None:
                total += sum(map(int, fields[_UTIME : _UTIME + 4]))
        return total / _TICK

    def memory(self) -> int:
        """Resident bytes of the tree; pages that processes share count once for each."""
        return resident(self.processes())

    def wake_ups(self) -> int:
        """How often threads of the tree have gone to sleep."""
        return sum(map(wake_ups, self.processes()))

    def log(self) -> str:
        """What it wrote to its standard error."""
        return self.output.with_suffix(".err").read_text(errors="replace")

    def fetch(self, path: str = "/", headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers with lower-case names, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return response.status, fields, response.read()
        finally:
            connection.close()

    def wait_ready(self, seconds: float) -> None:
        """Until it accepts connections; raises `BenchError` with its log when it ends or takes too
        long.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise BenchError(f"{self.name} does not listen on port {self.port}:\n{self.log()}")

    def stop(self) -> None:
        """End the tree: kindly, then not."""
        tree = self.processes()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in tree:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()


@contextlib.contextmanager
def server(
    name: str,
    command: Sequence[str],
    port: int,
    folder: Path,
    core: int | str,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    patience: float = 30,
) -> Iterator[Server]:
    """Run a server pinned to a core, or to several as taskset writes them.

    ``folder`` takes ``NAME.out`` and ``NAME.err``; ``patience`` is how many seconds it may take to
    listen.
    """
    output = folder / f"{name}.out"
    with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
        process = subprocess.Popen(
            [tool("taskset"), "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=cwd or folder,
            env=os.environ | dict(environment or {}),
        )
    running = Server(name, process, port, output)
    try:
        running.wait_ready(patience)
        yield running
    finally:
        running.stop()


class PeakMemory:
    """The highest resident size of a tree while the block runs, in bytes, beside that before it."""

    def __init__(self, memory: Callable[[], int]) -> None:
        self._memory = memory
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.peak = memory()

    @property
    def growth_mib(self) -> float:
        """From before to the peak, in MiB."""
        return (self.peak - self.before) / (1 << 20)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.02):
            self.peak = max(self.peak, self._memory())


def resident(processes: Sequence[int]) -> int:
    """Resident bytes of these processes, as `Server.memory` counts them."""
    found = (_stat(pid) for pid in processes)
    return sum(int(fields[_RSS]) for fields in found if fields is not None) * _PAGE


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields is not None:
                children.setdefault(int(fields[_PARENT]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found
