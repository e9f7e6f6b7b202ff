"""A worker as its supervisor sees it, with a process on the other side that says what the test
wants.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterable

from sentinel_host.control import Snapshot
from sentinel_host.net import Remembered
from sentinel_host.server.serve import run
from sentinel_host.supervisor.process import WorkerProcess
from tests.support.clocks import PATIENCE
from tests.support.descriptors import descriptors

COUNTER = "sentinel_requests"

# Answers the first question, and says in the same breath what it counted last.
TWO_COUNTS = f"""
import os, sys
from sentinel_host.control import Frame, FrameDecoder, Snapshot, Stats, encode

control = int(sys.argv[1])
[asked] = FrameDecoder().feed(os.read(control, 65536))
counts = [Stats(Snapshot(counters={{{COUNTER!r}: {{("main",): number}}}}), {{}}, []) for number in (1, 2)]
os.write(control, encode(Frame(asked.id, True, counts[0])) + encode(Frame(0, False, counts[1])))
"""

# Ends at once. What it started keeps its end of the channel for a while.
LEAVES_A_PROCESS = """
import subprocess, sys

subprocess.Popen(["sleep", "3"], pass_fds=[int(sys.argv[1])])
"""


class Unobserved:
    """No version is on probation here."""

    def degraded(self, name: str, sha256: str) -> None:
        raise AssertionError(name)

    def failed(self, name: str, sha256: str, reason: str) -> None:
        raise AssertionError(reason)

    def learned(self, names: Remembered) -> None:
        raise AssertionError(names)


def test_what_a_worker_counted_last_stays_when_an_earlier_answer_is_looked_at_later() -> None:
    """Two requests of 14,000 were missing: the last count had come beside an answer, and the answer
    was taken after.
    """

    def execute(control: int, fds: Iterable[int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", TWO_COUNTS, str(control)], pass_fds=(control, *fds))

    async def main() -> Snapshot:
        worker = await WorkerProcess.spawn([], Unobserved(), execute)
        await worker.refresh(20)
        await worker.gone
        return worker.snapshot

    assert run(asyncio.wait_for(main(), PATIENCE)).counters[COUNTER] == {("main",): 2}


def test_a_worker_has_ended_before_its_channel_has() -> None:
    """What a killed worker had under way counted as busy for a second longer."""

    def execute(control: int, fds: Iterable[int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", LEAVES_A_PROCESS, str(control)], pass_fds=(control, *fds))

    async def main() -> None:
        worker = await WorkerProcess.spawn([], Unobserved(), execute)
        await worker.ended
        assert not worker.gone.done()
        await worker.gone

    run(asyncio.wait_for(main(), PATIENCE))


def test_a_worker_whose_end_would_not_be_noticed_is_not_started() -> None:
    """Without a descriptor left to watch it by, the end of one that had been started went unnoticed
    for ever.
    """

    def execute(control: int, fds: Iterable[int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", "pass"])

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    started = 0
    refused: set[int | None] = set()

    async def main(left: int) -> None:
        nonlocal started
        filled = [os.open(os.devnull, os.O_RDONLY)]
        # Whatever numbers are free below those that other tests of the process have left open.
        highest = max(int(number) for number in os.listdir("/proc/self/fd"))
        while filled[-1] < highest:
            filled.append(os.open(os.devnull, os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (filled[-1] + 1 + left, limits[1]))
        try:
            worker = await WorkerProcess.spawn([], Unobserved(), execute)
            started += 1
            await asyncio.wait_for(worker.gone, PATIENCE)
        except OSError as error:
            refused.add(error.errno)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for descriptor in filled:
                os.close(descriptor)

    # The first loop of a process leaves a pipe of libuv's.
    run(asyncio.sleep(0))
    before = descriptors()
    for left in range(8):
        run(main(left))
    assert 0 < started < 8
    assert refused == {errno.EMFILE}
    assert not descriptors() - before
