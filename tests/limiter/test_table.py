from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator

import pytest

from sentinel_host.errors import SentinelError
from sentinel_host.limiter import Algorithm, Limit, SharedTable
from sentinel_host.limiter.limit import MAX_REQUESTS, MAX_WINDOW, Overflow
from tests.limiter.verdicts import Verdict

SECOND = 10**9


@pytest.fixture
def table() -> Iterator[SharedTable]:
    table = SharedTable.create(256)
    yield table
    table.close()


def test_a_verdict_says_what_is_left_and_for_how_long(table: SharedTable) -> None:
    limit = Limit(2, 1.5)
    verdicts = [Verdict.of(table.check_at(limit, b"key", SECOND)) for _ in range(3)]
    assert verdicts == [(True, 1, 1500, False), (True, 0, 1500, False), (False, 0, 1500, False)]
    assert table.check_at(limit, b"key", 2 * SECOND) < 0
    assert table.check_at(limit, b"key", 2 * SECOND + SECOND // 2) >= 0


def test_the_machine_s_clock_runs_the_windows(table: SharedTable) -> None:
    """A second request passes when the window of the first is over, and not before."""
    limit = Limit(1, 0.02)
    # The window begins with the millisecond of its first request.
    end = time.monotonic_ns() + 19 * SECOND // 1000
    assert table.check(limit, b"key") >= 0
    while table.check(limit, b"key") < 0:
        pass
    assert time.monotonic_ns() >= end


def test_two_attachments_are_one_table(table: SharedTable) -> None:
    other = SharedTable.attach(os.dup(table.fd))
    limit = Limit(2, 60)
    assert [side.check(limit, b"key") >= 0 for side in (table, other, table, other)] == [True, True, False, False]
    assert other.slots == table.slots == 256
    assert other.live() == 1
    other.close()
    assert table.check(limit, b"key") < 0


def test_each_start_hashes_in_its_own_way(table: SharedTable) -> None:
    """Who learns which keys collide in one table learns nothing about the next."""
    limit = Limit(1, 60)
    other = SharedTable.create(256)
    for one in (table, other):
        for number in range(40):
            one.check_at(limit, b"%d" % number, SECOND)
    first, second = (os.pread(one.fd, 1 << 16, 128) for one in (table, other))
    other.close()
    assert first != second


def test_the_size_of_the_memory_is_sealed(table: SharedTable) -> None:
    """A worker that shrank the file would kill all others with SIGBUS."""
    for size in (0, 1 << 24):
        with pytest.raises(PermissionError):
            os.ftruncate(table.fd, size)
    assert fcntl.fcntl(table.fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_something_else_is_not_attached() -> None:
    fd = os.memfd_create("other")
    os.ftruncate(fd, 1 << 16)
    with pytest.raises(SentinelError, match="not a limiter's table"):
        SharedTable.attach(fd)
    os.close(fd)


@pytest.mark.parametrize("slots", [-1, 0, (1 << 28) + 1])
def test_a_table_of_an_absurd_size_is_refused(slots: int) -> None:
    with pytest.raises(ValueError, match="slots must be"):
        SharedTable.create(slots)


DIFFERENT = [
    Limit(2, 60),
    Limit(2, 61),
    Limit(2, 60, Algorithm.LEAKY_BUCKET),
    Limit(2, 60, name="other"),
    Limit(2, 60, scope="a"),
    Limit(2, 60, name="b", scope="a"),
    Limit(2, 60, name="a", scope="b"),
]


def test_different_limits_share_no_counter(table: SharedTable) -> None:
    for limit in DIFFERENT:
        assert [table.check(limit, b"key") >= 0 for _ in range(3)] == [True, True, False]
    assert table.live() == len(DIFFERENT)


def test_a_changed_number_of_requests_keeps_the_count(table: SharedTable) -> None:
    """A configuration is loaded again with a lower limit: clients do not start afresh."""
    for _ in range(3):
        table.check(Limit(5, 60), b"key")
    assert table.check(Limit(3, 60, overflow=Overflow.OPEN), b"key") < 0
    assert table.check(Limit(4, 60), b"key") >= 0


def test_what_other_machines_counted_is_learnt(table: SharedTable) -> None:
    limit = Limit(10, 60)
    assert not table.learn(limit, b"key", 5, 1000, SECOND)
    table.check_at(limit, b"key", SECOND)
    assert table.learn(limit, b"key", 5, 1000, SECOND)
    assert Verdict.of(table.check_at(limit, b"key", SECOND)) == (True, 4, 1000, False)


@pytest.mark.parametrize(
    ("requests", "window"),
    [(0, 1), (-1, 1), (MAX_REQUESTS + 1, 1), (1, 0), (1, -1), (1, 0.0009), (1, MAX_WINDOW + 1), (1, float("nan"))],
)
def test_numbers_out_of_range_are_refused(requests: int, window: float) -> None:
    with pytest.raises(ValueError, match="must be from"):
        Limit(requests, window)


@pytest.mark.parametrize("name", ["", "é", "a\nb", "a\x7f"])
def test_names_that_no_header_can_carry_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        Limit(1, 1, name=name)
