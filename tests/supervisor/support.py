"""Gateways with several workers, and load that keeps account of every request."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.caches import CACHED
from tests.support.clocks import PATIENCE, watch
from tests.support.forked import ForkedProcess, Process
from tests.support.forked_children import FORKER
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Received

# Below the quarter of a second in which a gateway that ends takes a connection's next request to be
# on its way.
_HELD_UP = 0.2
_READY = re.compile(r"worker (\d+) \(pid (\d+)\) is ready")
# Seconds between a client's requests: without them its load takes the processors from the workers
# whose start it waits for.
PAUSE = 0.03
# Puts inherited sockets where a service manager would, and becomes the gateway.
_LAUNCHER = """
import fcntl, os, sys
fds, arguments = [int(fd) for fd in sys.argv[1].split(",") if fd], sys.argv[2:]
# Whatever numbers they have, none is lost to another's place.
spares = [fcntl.fcntl(fd, fcntl.F_DUPFD, 3 + len(fds)) for fd in fds]
for index, spare in enumerate(spares):
    os.dup2(spare, 3 + index)
    os.close(spare)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *arguments])
"""


def config(upstream: str, *, workers: int = 2, grace: str = "5s", more: str = "", routes: str = "") -> str:
    """A configuration whose one route goes to ``upstream``; ``more`` is keys of ``[server]``.

    It is not watched, so that SIGHUP alone makes a difference.
    """
    return f"""
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = {workers}
grace = "{grace}"
{more}

[guests]
watch = false

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
name = "main"
path = "/"
upstream = "origin"
{routes}
"""


def workers(gateway: GatewayProcess) -> dict[int, int]:
    """Number to process id of the workers that became ready last."""
    matches = [match for line in list(gateway.log) if (match := _READY.search(line))]
    return {int(match[1]): int(match[2]) for match in matches}


def starts(gateway: GatewayProcess) -> int:
    """How many workers have become ready so far."""
    return sum(1 for line in list(gateway.log) if _READY.search(line))


def exists(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid: int) -> list[int]:
    """The processes that a process has started, and that run; not the forker of a forked
    gateway.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                before, _, after = (entry / "stat").read_text().rpartition(")")
                parent, is_forker = after.split()[1], before.endswith(f"({FORKER}")
                if parent == str(pid) and not is_forker and exists(int(entry.name)):
                    found.append(int(entry.name))
    return found


def command(pid: int) -> str:
    """What a forked gateway's child calls itself; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Look until something is true."""
    watch(condition, f"not within {seconds} s: {what}", seconds)


def refuses(address: tuple[str, int]) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(address) == errno.ECONNREFUSED


@contextlib.contextmanager
def launched(
    config: Path,
    *,
    environment: Mapping[str, str] | None = None,
    sockets: Sequence[socket.socket] = (),
    before: Sequence[str] = (),
) -> Iterator[GatewayProcess]:
    """``sentinel run`` as a service manager would start it, by the command ``before``; does not
    wait for anything. Executed where there is such a command or are sockets, and forked otherwise.
    """
    fds = [sock.fileno() for sock in sockets]
    arguments, variables = ["run", "--config", str(config)], os.environ | CACHED | (environment or {})
    process: Process
    if fds or before:
        command = [*before, sys.executable, "-c", _LAUNCHER, ",".join(map(str, fds))]
        process = subprocess.Popen(
            [*command, "-m", "sentinel_host", *arguments],
            cwd=config.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=fds,
            env=variables,
        )
    else:
        process = ForkedProcess("sentinel_host", arguments, config.parent, variables, forks=True)
    gateway = GatewayProcess(process, config.parent)
    try:
        yield gateway
    finally:
        gateway.stop(2 * PATIENCE)


@dataclass(frozen=True)
class Lost:
    """A request that got no whole answer: since when its connection was in use, when it was given
    up, and why.
    """

    since: float
    ended: float
    reason: str


class Load:
    """Clients that ask for ``/`` until the block ends: ``kept`` on connections that last, ``fresh``
    on new ones.

    With ``asks_again`` they do what RFC 9112 section 9.3.1 asks of clients: a request that finds
    its kept connection closed goes out on a new one. Whether it had reached anybody shows at the
    upstream. One whose client was itself held up before it goes out again anyhow: nobody keeps an
    idle connection open for it.
    """

    def __init__(self, address: tuple[str, int], *, fresh: int = 2, kept: int = 2, asks_again: bool = False) -> None:
        self._asks_again = asks_again
        self.answered = 0
        self.lost: list[Lost] = []
        self.refused: list[str] = []
        self._address = address
        self._stop = threading.Event()
        self._lock = threading.Lock()
        kinds = [False] * fresh + [True] * kept
        self._threads = [threading.Thread(target=self._run, args=(keep,)) for keep in kinds]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Finish the requests that are in flight, and begin no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests have been answered."""
        goal = self.answered + more
        wait_until(lambda: self.answered >= goal, f"{more} more answers", 2 * PATIENCE)

    def _run(self, keep: bool) -> None:
        answered = asked_now = 0.0
        connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE)
        while not self._stop.is_set():
            begun = time.monotonic()
            reused = connection.sock is not None
            since = answered if reused else begun
            asked, asked_now = asked_now, begun
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                body = response.read()
                if response.status != 200 or body != b"hello":
                    raise http.client.HTTPException(f"{response.status} {body[:80]!r}")
                answered = time.monotonic()
                with self._lock:
                    self.answered += 1
            except ConnectionRefusedError as error:
                self.refused.append(repr(error))
                connection.close()
            except (OSError, http.client.HTTPException) as error:
                # From the request before: its answer may have lain there for a while.
                held_up = begun - asked > _HELD_UP
                if reused and (self._asks_again or held_up) and isinstance(error, ConnectionError):
                    connection.close()
                    continue
                self.lost.append(Lost(since, time.monotonic(), repr(error)))
                connection.close()
            if not keep:
                connection.close()
            self._stop.wait(PAUSE)
        connection.close()


def kill(pid: int) -> tuple[float, float]:
    """SIGKILL; returns between which times."""
    before = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return before, time.monotonic()


class Pieces:
    """An upstream's handler that answers piece by piece, when it is told to: from another
    thread.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = threading.Event()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def __call__(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._loop = asyncio.get_running_loop()
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        self._begun.set()
        while piece := await self._pieces.get():
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    def send(self, piece: bytes) -> None:
        """Send one chunk; an empty one is the last."""
        assert self._begun.wait(PATIENCE)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
