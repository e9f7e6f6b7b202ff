"""A stdout that stalls, fails, is closed or has another encoding, with one worker and several."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.support import children, config, wait_until
from tests.support.caches import CACHED
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.forked import ForkedProcess, Process
from tests.support.gateways import GatewayProcess, write_config
from tests.support.upstreams import Upstream
from tests.wat import index

DROPPED = "sentinel_log_lines_dropped_total"
# What log_pages writes for one request.
LINES = 51

# Every process writes its log with the same code; who shares a stdout, and how the end goes,
# differs.
both = pytest.mark.parametrize("workers", [1, 2])
single = pytest.mark.parametrize("workers", [1])
several = pytest.mark.parametrize("workers", [2])


@contextlib.contextmanager
def logging_to(
    stdout: int | None,
    folder: Path,
    upstream: Upstream,
    workers: int,
    *,
    environment: Mapping[str, str] | None = None,
    more: str = "",
    before: Sequence[str] = (),
) -> Iterator[GatewayProcess]:
    """A gateway whose log goes to a descriptor, and whose one guest writes `LINES` for each
    request; ends with 0.
    """
    text = config(upstream.url, workers=workers, grace="1s", more=more, routes='chain = ["pages"]')
    file = write_config(folder, text, {"pages": index.wasm("good/log_pages")})
    arguments = ["run", "--config", str(file)]
    process: Process
    if stdout is None or before or environment:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "sentinel_host", *arguments],
            cwd=folder,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | CACHED | (environment or {}),
        )
    else:
        process = ForkedProcess("sentinel_host", arguments, folder, os.environ | CACHED, forks=True, stdout=stdout)
    gateway = GatewayProcess(process, folder)
    try:
        gateway.wait(lambda: len(gateway.addresses) == 2, "listener", 4 * PATIENCE)
        yield gateway
    finally:
        code = gateway.stop(2 * PATIENCE)
    assert code == 0, "".join(gateway.log)
    assert not any("Traceback" in line for line in gateway.log), "".join(gateway.log)


def ask(gateway: GatewayProcess) -> str:
    """One request, which is served whatever becomes of its lines; returns its id."""
    answer = fetch(gateway.public)
    assert (answer.status, answer.body) == (200, b"hello")
    made = answer.header("x-request-id")
    assert made is not None
    return made


def ask_until_dropped(gateway: GatewayProcess) -> None:
    """Requests until some of their lines are dropped."""
    end = time.monotonic() + 2 * PATIENCE
    while not gateway.metric(DROPPED):
        assert time.monotonic() < end
        ask(gateway)


class Reader:
    """The other end of a gateway's stdout."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._records: list[dict[str, Any]] = []
        self._rest = b""

    def records(self) -> list[dict[str, Any]]:
        """What has come by now: each line is JSON, but one may be empty that ends what was broken
        off.
        """
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._descriptor, 1 << 20):
                *lines, self._rest = (self._rest + piece).split(b"\n")
                self._records += map(json.loads, filter(None, lines))
        return self._records

    def told(self) -> list[str]:
        """Messages about lines that were dropped."""
        return [each["message"] for each in self.records() if each.get("logger") == "sentinel.log"]

    def wait_for_request(self, gateway: GatewayProcess) -> None:
        """Wait until a request that is made from now on has all its lines in the log.

        Another worker's may come after them: the rest of a request whose first lines were dropped.
        What waits from before may leave no room for the first request's lines: each one that loses
        some is followed by another.
        """
        end = time.monotonic() + 2 * PATIENCE
        made, dropped = "", -1.0
        while sum(each.get("request_id") == made for each in self.records()) != LINES:
            assert time.monotonic() < end, "no request has all its lines"
            if (now := gateway.metric(DROPPED)) != dropped:
                made, dropped = ask(gateway), now
            time.sleep(0.01)


@pytest.fixture
def pipe() -> Iterator[tuple[Reader, int]]:
    """A pipe: its reader, which never waits, and the descriptor to write to."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield Reader(reading), writing
    os.close(reading)
    os.close(writing)


@both
def test_no_request_waits_for_a_reader_that_stalls(
    upstream: Upstream, tmp_path: Path, workers: int, pipe: tuple[Reader, int]
) -> None:
    """Every request once stopped with the 65th kilobyte of the log, until somebody read it."""
    reader, stdout = pipe
    with logging_to(stdout, tmp_path, upstream, workers) as gateway:
        ask_until_dropped(gateway)
        assert fetch(gateway.admin, "/healthz").status == 200
        wait_until(lambda: bool(reader.told()), "the lines that were dropped to be told")
        wait_until(
            lambda: sum(int(line.split()[0]) for line in reader.told()) == gateway.metric(DROPPED), "all of them"
        )
        reader.wait_for_request(gateway)
    assert len(reader.told()) <= workers + 1


@both
def test_a_reader_that_stalls_does_not_hold_up_the_end(
    upstream: Upstream, tmp_path: Path, workers: int, pipe: tuple[Reader, int]
) -> None:
    with logging_to(pipe[1], tmp_path, upstream, workers) as gateway:
        ask_until_dropped(gateway)
        assert gateway.stop() == 0


@single
def test_a_pipe_that_does_not_block_loses_nothing(
    upstream: Upstream, tmp_path: Path, workers: int, pipe: tuple[Reader, int]
) -> None:
    """Whoever shares the pipe may make it so; EAGAIN was once the end of guests' lines."""
    reader, stdout = pipe
    os.set_blocking(stdout, False)
    with logging_to(stdout, tmp_path, upstream, workers) as gateway:
        for _ in range(3):
            reader.wait_for_request(gateway)
        assert gateway.metric(DROPPED) == 0


@both
def test_a_burst_loses_nothing(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """Lines were lost that came faster than a buffer of one megabyte was looked at."""
    log = tmp_path / "log"
    stdout = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with logging_to(stdout, tmp_path, upstream, workers) as gateway:
        requests = {ask(gateway) for _ in range(10)}
        reader = Reader(os.open(log, os.O_RDONLY))
        wait_until(
            lambda: sum(each.get("request_id") in requests for each in reader.records()) == 10 * LINES, "every line"
        )
        assert gateway.metric(DROPPED) == 0
    os.close(stdout)


@several
def test_a_fifo_that_is_closed_and_opened_again(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """EPIPE was once the end of guests' lines, and made the gateway exit with 1."""
    os.mkfifo(tmp_path / "fifo")
    reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    stdout = os.open(tmp_path / "fifo", os.O_WRONLY)
    with logging_to(stdout, tmp_path, upstream, workers) as gateway:
        Reader(reading).wait_for_request(gateway)
        os.close(reading)
        ask_until_dropped(gateway)
        gateway.wait_for_log("standard output: Broken pipe")
        reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        reader = Reader(reading)
        reader.wait_for_request(gateway)
        wait_until(lambda: "Broken pipe" in "".join(reader.told()), "the lines that were dropped to be told")
        os.close(reading)
        ask(gateway)
    os.close(stdout)
    assert sum("Broken pipe" in line for line in gateway.log) <= 2 * (workers + 1)


@several
def test_a_disk_that_is_full_for_a_while(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """The limit of a file's size stands for the disk's: a write is done in part and then fails,
    until there is room.
    """
    log = tmp_path / "log"
    stdout = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with logging_to(stdout, tmp_path, upstream, workers) as gateway:

        def limit(size: int) -> None:
            for pid in (gateway.process.pid, *children(gateway.process.pid)):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        size = log.stat().st_size + 100_000
        limit(size)
        ask_until_dropped(gateway)
        gateway.wait_for_log("standard output: File too large")
        assert log.stat().st_size == size
        limit(resource.RLIM_INFINITY)
        reading = os.open(log, os.O_RDONLY)
        # What was broken off there has an end before anything else comes.
        os.lseek(reading, size, os.SEEK_SET)
        reader = Reader(reading)
        wait_until(lambda: bool(reader.told()), "the lines that were dropped to be told")
        reader.wait_for_request(gateway)
        os.close(reading)
    os.close(stdout)


@single
def test_a_disk_that_is_full_for_good(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    stdout = os.open("/dev/full", os.O_WRONLY)
    with logging_to(stdout, tmp_path, upstream, workers) as gateway:
        ask_until_dropped(gateway)
        gateway.wait_for_log("standard output: No space left on device")
        before = gateway.metric(DROPPED)
        ask(gateway)
        wait_until(lambda: gateway.metric(DROPPED) >= before + LINES, "the lines to be counted")
    os.close(stdout)
    assert sum("No space left" in line for line in gateway.log) <= workers + 1


@single
def test_an_encoding_that_lacks_a_character(
    upstream: Upstream, tmp_path: Path, workers: int, pipe: tuple[Reader, int]
) -> None:
    reader, stdout = pipe
    with logging_to(stdout, tmp_path, upstream, workers, environment={"PYTHONIOENCODING": "ascii"}) as gateway:
        reader.wait_for_request(gateway)
        reader.wait_for_request(gateway)
        assert "café" in [each["message"] for each in reader.records()]
        assert gateway.metric(DROPPED) == 0


@both
def test_a_stdout_that_is_closed(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """The next socket once got its number, and the log; several workers did not start."""
    closed = ["sh", "-c", 'exec "$@" >&-', "sh"]
    with logging_to(None, tmp_path, upstream, workers, before=closed) as gateway:
        ask_until_dropped(gateway)
        gateway.wait_for_log("standard output: Bad file descriptor")
        ask(gateway)


@several
def test_everything_that_is_closed(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """Nothing says where it listens; that it ends as it should is all that shows."""
    text = config(upstream.url, workers=workers)
    ready = tmp_path / "notify"
    file = write_config(tmp_path, text)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(ready))
        manager.settimeout(2 * PATIENCE)
        command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(file)]
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command],
            env=os.environ | CACHED | {"NOTIFY_SOCKET": str(ready)},
        )
        assert b"READY=1" in manager.recv(4096)
        process.terminate()
        assert process.wait(PATIENCE) == 0
