"""One table and several processes that share nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentinel_host.limiter import Algorithm, Limit, Overflow, SharedTable
from tests.limiter.verdicts import Verdict

WORKERS = Path(__file__).with_name("workers.py")


@pytest.fixture
def make_table() -> Iterator[Callable[[int], SharedTable]]:
    tables: list[SharedTable] = []

    def make(slots: int) -> SharedTable:
        tables.append(SharedTable.create(slots))
        return tables[-1]

    yield make
    for table in tables:
        table.close()


@contextmanager
def worker(table: SharedTable, role: str, *numbers: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(WORKERS), role, str(table.fd), *map(str, numbers)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, pass_fds=[table.fd]
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_four_processes_get_exactly_the_number_in_each_of_a_hundred_windows(
    make_table: Callable[[int], SharedTable],
) -> None:
    requests, attempts = 400, 1000
    table = make_table(1024)
    with (
        worker(table, "windows", requests, attempts) as first,
        worker(table, "windows", requests, attempts) as second,
        worker(table, "windows", requests, attempts) as third,
        worker(table, "windows", requests, attempts) as fourth,
    ):
        workers = [first, second, third, fourth]
        shares = []
        for window in range(100):
            for process in workers:
                assert process.stdin is not None
                process.stdin.write(f"{window}\n")
            answers = [[int(number) for number in read_line(process).split()] for process in workers]
            shares.append([same for same, _ in answers])
            assert sum(same for same, _ in answers) == requests, (window, answers)
            assert sum(new for _, new in answers) == requests, (window, answers)
    # They did compete: no process had every window to itself.
    assert any(sum(share > 0 for share in of_window) > 1 for of_window in shares)


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_killed_process_leaves_no_lock(make_table: Callable[[int], SharedTable]) -> None:
    """The keys that the dead one was counting are checked at once, by an amount of work that does
    not depend on it.
    """
    table = make_table(4096)
    limit = Limit(2, 0.001)
    probe = Limit(5, 60, name="probe")
    for kill in range(8):
        with worker(table, "forever") as process:
            assert read_line(process) == "started\n"
            time.sleep(0.003 + kill * 0.0007)  # somewhere in the middle of its loop
            process.kill()
            process.wait()
        for number in range(500):
            table.check(limit, b"key-%d" % number)
        verdicts = [table.check(probe, b"kill-%d" % kill) for _ in range(20)]
        assert [verdict >= 0 for verdict in verdicts] == [True] * 5 + [False] * 15
    assert table.overflows == 0


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_million_keys_take_no_more_memory_and_leave_hot_keys_exact(
    algorithm: Algorithm, make_table: Callable[[int], SharedTable]
) -> None:
    table = make_table(65536)
    size = os.fstat(table.fd).st_size
    assert size < 1_200_000
    limit = Limit(100, 3600, algorithm, overflow=Overflow.CLOSED)
    hot = [b"hot-%d" % number for number in range(50)]
    now = 10**12
    allowed = dict.fromkeys(hot, 0)
    refused = 0
    for number in range(1_000_000):
        refused += table.check_at(limit, b"%d" % number, now) < 0
        if number % 5000 == 0:  # 200 times: twice as often as allowed
            for key in hot:
                allowed[key] += table.check_at(limit, key, now) >= 0
    assert set(allowed.values()) == {100}
    assert table.live(now) <= table.slots == 65536
    assert table.overflows == refused >= 1_000_000 - 65536
    assert os.fstat(table.fd).st_size == size
    later = now + 3601 * 10**9
    assert table.live(later) == 0
    assert Verdict.of(table.check_at(limit, b"newcomer", later)) == (
        True,
        99,
        3_600_000 if algorithm is Algorithm.FIXED_WINDOW else 36_000,
        False,
    )
