"""The table as Python uses it: keys, states, groups, and what is refused."""

from __future__ import annotations

import mmap
import os
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from sentinel_host.errors import SentinelError
from sentinel_host.shared_memory import create_sealed
from sentinel_host.upstream._endpoints import Cell, Group, Table, table_size
from sentinel_host.upstream.table import EndpointState, EndpointTable, key_of

GATEWAY_FAILURE, SERVER_FAILURE = 0, 1
LEAST_REQUESTS, ROUND_ROBIN, RANDOM, HASH = range(4)
KEYS = [key_of("web", "http://web.example", f"192.0.2.{number}") for number in range(1, 4)]


@pytest.fixture
def table() -> Iterator[EndpointTable]:
    table = EndpointTable.create(cells=4, rows=16)
    yield table
    os.close(table.fd)


def cells(table: EndpointTable, worker: int = 0, keys: Sequence[int] = KEYS) -> list[Cell]:
    return [Cell(table.native, worker, key, True) for key in keys]


def group(of: Sequence[Cell], policy: int = LEAST_REQUESTS, **changed: object) -> Group:
    settings: dict[str, object] = {
        "panic_percent": 50,
        "slow_start_ms": 0,
        "ejected_percent": 50,
        "gateway_failures": 2,
        "server_failures": 5,
        "base_ms": 10_000,
        "max_ms": 300_000,
        "seed": 1,
        "members": tuple((cell, 1) for cell in of),
    }
    settings |= changed
    return Group(settings.pop("members"), policy=policy, **settings)  # type: ignore[arg-type]


def test_a_key_is_the_same_everywhere_and_of_one_endpoint() -> None:
    assert key_of("web", "http://web.example", "192.0.2.1") == KEYS[0]
    assert key_of("web", "http://web.example", "192.0.2.1") != key_of("web2", "http://web.example", "192.0.2.1")
    assert len({key_of("a", "b", "c"), key_of("ab", "", "c"), key_of("a", "bc", "")}) == 3


def test_workers_see_what_each_has_under_way(table: EndpointTable) -> None:
    groups = [group(cells(table, worker)) for worker in range(4)]
    for each in groups:
        for _ in range(3):
            each.pick(0, ())
    states = [table.state(key) for key in KEYS]
    assert sum(state.active for state in states) == sum(state.requests for state in states) == 12
    # Nobody has more than one more than others, since each looks at what all do.
    assert max(state.active for state in states) <= 5
    table.clear_worker(2)
    assert sum(table.state(key).active for key in KEYS) == 9


def test_a_worker_that_attaches_shares_the_table(table: EndpointTable) -> None:
    first = group(cells(table))
    other = EndpointTable.attach(os.dup(table.fd))
    others = cells(other, 1)
    second = group(others)
    for _ in range(30):
        others[second.pick(0, ())].end()
    first.pick(0, ())
    assert sum(other.state(key).requests for key in KEYS) == 31
    del second, others
    os.close(other.fd)


def test_an_ejected_endpoint_gets_nothing_in_any_worker(table: EndpointTable) -> None:
    first, second = group(cells(table)), group(cells(table, 1))
    assert first.failed(1, GATEWAY_FAILURE, 9, True) == 0
    assert second.failed(1, GATEWAY_FAILURE, 9, True) >= 10_000
    picked = Counter(each.pick(0, ()) for each in (first, second) for _ in range(100))
    assert picked[1] == 0
    assert picked.total() == 200
    state = table.state(KEYS[1])
    assert 0 < state.ejected_for <= 11_000
    assert (state.ejections, state.failures) == (1, 2)


def test_what_is_drained_or_down_gets_nothing(table: EndpointTable) -> None:
    each = group(cells(table))
    table.drain(KEYS[0], True)
    assert table.state(KEYS[0]).draining
    assert Counter(each.pick(0, ()) for _ in range(100))[0] == 0
    assert not each.take(0)
    assert each.take(1)
    table.drain(KEYS[0], False)
    table.checked(KEYS[1], healthy=False)
    assert table.state(KEYS[1]).down
    assert {each.pick(0, ()) for _ in range(100)} == {0, 2}


def test_a_check_that_is_well_again_ends_an_ejection_and_one_that_was_never_bad_does_not(table: EndpointTable) -> None:
    each = group(cells(table))
    each.eject(0)
    table.checked(KEYS[0], healthy=True)
    assert table.state(KEYS[0]).ejected_for > 0
    table.checked(KEYS[0], healthy=False)
    table.checked(KEYS[0], healthy=True)
    state = table.state(KEYS[0])
    assert state.ejected_for == 0
    assert not state.down


def test_tried_members_are_left_out(table: EndpointTable) -> None:
    each = group(cells(table))
    assert {each.pick(0, (0, 2)) for _ in range(20)} == {1}
    assert each.pick(0, (0, 1, 2)) == -1


def test_answers_tell_how_long_they_took(table: EndpointTable) -> None:
    cell = cells(table)[0]
    cell.begin()
    cell.succeeded(800)
    assert table.state(KEYS[0]) == EndpointState(False, False, 0, 0, 1, 1, 0, 800, None)
    cell.end()
    assert table.state(KEYS[0]).active == 0


def test_what_ends_lets_go_of_its_endpoints(table: EndpointTable) -> None:
    each = group(cells(table))
    table.sweep(1)
    assert table.state(KEYS[0]).requests == 0
    del each
    table.sweep(1)
    with pytest.raises(LookupError, match="no worker uses this endpoint"):
        table.state(KEYS[0])


def test_a_full_table_says_so(table: EndpointTable) -> None:
    with pytest.raises(MemoryError, match="full"):
        cells(table, keys=range(2, 40))
    table.sweep(1)
    assert len(cells(table, keys=range(2, 18))) == 16


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": ()},
        {"policy": 4},
        {"panic_percent": 101},
        {"ejected_percent": 101},
        {"slow_start_ms": 2**31},
        {"seed": 0},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(table: EndpointTable, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        group(cells(table), **wrong)  # type: ignore[arg-type]


def test_what_is_no_member_is_refused(table: EndpointTable) -> None:
    cell, other = cells(table)[0], cells(table, 1)[0]
    for members in (((cell, 0),), ((cell, 65_536),), ((cell, 1), (other, 1))):
        with pytest.raises(ValueError, match="of one table and worker"):
            group([], members=members)
    for wrong in ([(cell, 1)], (cell,), ((5, 1),)):
        with pytest.raises(TypeError):
            group([], members=wrong)
    for worker, key in ((4, 5), (0, 1)):
        with pytest.raises(ValueError, match="no such"):
            Cell(table.native, worker, key, True)
    each = group([cell])
    for call in (lambda: each.pick(0, [0]), lambda: each.pick("a", ()), lambda: each.failed(0, 0, 0)):  # type: ignore
        with pytest.raises(TypeError):
            call()
    for index in (1, 2**40):
        with pytest.raises(IndexError):
            each.take(index)


def test_other_memory_is_no_table() -> None:
    fd = create_sealed("other", 4096)
    with pytest.raises(SentinelError, match="no table of endpoints"):
        EndpointTable.attach(fd)
    os.close(fd)
    with pytest.raises(ValueError, match="rows"):
        table_size(0, 1)
    with pytest.raises(ValueError, match="size"):
        Table(mmap.mmap(-1, 4096), 16, 4, bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        Table(mmap.mmap(-1, table_size(16, 4)), 16, 4, b"short")
