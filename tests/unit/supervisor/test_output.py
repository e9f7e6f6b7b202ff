from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_host.supervisor.output import Output, create_lock
from tests.support.clocks import PATIENCE

_WRITER = """
import sys
from sentinel_host.supervisor.output import Output
name, lock = sys.argv[1], int(sys.argv[2])
output = Output(1, lock, lambda lines, reason: b"")
for _ in range(30):
    output.write(name.encode() * 50_000 + b"\\n")
output.close(60)
"""


@pytest.fixture
def lock() -> Iterator[int]:
    """That of an output which nobody has written to."""
    descriptor = create_lock()
    yield descriptor
    os.close(descriptor)


def writer(name: str, lock: int, stdout: int) -> subprocess.Popen[bytes]:
    """A process that writes thirty lines of 50,000 times its name."""
    return subprocess.Popen([sys.executable, "-c", _WRITER, name, str(lock)], stdout=stdout, pass_fds=[lock])


def tell(lines: int, reason: str) -> bytes:
    return b"%d: %b\n" % (lines, reason.encode())


def test_pieces_of_several_processes_stay_whole(lock: int) -> None:
    """A pipe keeps only 4096 bytes together: longer lines of access logs ran into each other."""
    reading, writing = os.pipe()
    processes = [writer(name, lock, writing) for name in "abc"]
    os.close(writing)
    with open(reading) as pipe:
        lines = pipe.read().splitlines()
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert Counter(lines) == {name * 50_000: 30 for name in "abc"}


def test_what_a_killed_process_broke_off_is_one_line(lock: int) -> None:
    """Otherwise another's next line would stand behind it, and be lost too."""
    reading, writing = os.pipe()
    killed = writer("a", lock, writing)
    # It waits within its first piece, of which a pipe does not hold all.
    first = os.read(reading, 1000)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    other = writer("b", lock, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        torn, *lines = (first + pipe.read()).splitlines()
    assert other.wait() == 0
    assert set(torn) == {ord("a")}
    assert [line for line in lines if b"a" not in line] == [b"b" * 50_000] * 30


def test_lines_beyond_the_bound_are_dropped_and_told_once(lock: int) -> None:
    reading, writing = os.pipe()
    output = Output(writing, lock, tell, capacity=200_000)
    for _ in range(10):
        output.write(b"x" * 49_999 + b"\n")
    assert 0 < output.dropped < 10
    written = 10 - output.dropped
    with open(reading, "rb") as pipe:
        for _ in range(written):
            assert pipe.readline() == b"x" * 49_999 + b"\n"
        assert pipe.readline() == b"%d: standard output is not read fast enough\n" % output.dropped
        output.write(b"on\n")
        assert pipe.readline() == b"on\n"
        output.close(PATIENCE)
        os.close(writing)
        assert pipe.read() == b""


def test_a_line_larger_than_the_bound_is_written_where_nothing_waits(lock: int, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        output = Output(out.fileno(), lock, tell, capacity=10)
        output.write(b"x" * 100 + b"\n")
        output.close(PATIENCE)
    assert (tmp_path / "out").read_bytes() == b"x" * 100 + b"\n"


def test_what_a_failed_write_lost_is_counted_by_lines(lock: int, capfd: pytest.CaptureFixture[str]) -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        output = Output(full.fileno(), lock, tell)
        for _ in range(3):
            output.write(b"one\ntwo\n")
        output.close(PATIENCE)
    assert output.dropped == 6
    assert (
        capfd.readouterr().err == "sentinel: standard output: No space left on device: lines of the log are dropped\n"
    )


def test_what_was_lost_before_is_told(lock: int) -> None:
    reading, writing = os.pipe()
    output = Output(writing, lock, tell)
    output.drop(7, "the buffer was full")
    with open(reading, "rb") as pipe:
        assert pipe.readline() == b"7: the buffer was full\n"
        output.close(PATIENCE)
        os.close(writing)
    assert output.dropped == 7


def test_the_end_does_not_wait_for_a_reader_that_stalls(lock: int) -> None:
    reading, writing = os.pipe()
    output = Output(writing, lock, tell)
    output.write(b"x" * 200_000 + b"\n")
    output.close()
    output.write(b"too late\n")
    assert output.dropped == 1
    with open(reading, "rb") as pipe:
        assert len(pipe.readline()) == 200_001
        output.close(PATIENCE)
    os.close(writing)
