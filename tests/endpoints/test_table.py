"""The table as Python uses it: keys, states, groups, and what is refused."""

from __future__ import annotations

import mmap
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from sentinel_host.errors import SentinelError
from sentinel_host.shared_memory import create_sealed
from sentinel_host.upstream._endpoints import Group, Table, table_size
from sentinel_host.upstream.table import EndpointTable, key_of

GATEWAY_FAILURE, SERVER_FAILURE = 0, 1
LEAST_REQUESTS, ROUND_ROBIN, RANDOM, HASH = range(4)
KEYS = [key_of("web", "http://web.example", f"192.0.2.{number}") for number in range(1, 4)]


@pytest.fixture
def table() -> Iterator[EndpointTable]:
    table = EndpointTable.create(cells=4, rows=16)
    yield table
    os.close(table.fd)


def group(table: EndpointTable, worker: int = 0, policy: int = LEAST_REQUESTS, **changed: object) -> Group:
    settings: dict[str, object] = {
        "panic_percent": 50,
        "slow_start_ms": 0,
        "ejected_percent": 50,
        "gateway_failures": 2,
        "server_failures": 5,
        "base_ms": 10_000,
        "max_ms": 300_000,
        "seed": 1,
        "from_the_start": True,
        "members": [(key, 1) for key in KEYS],
    }
    settings |= changed
    members = settings.pop("members")
    return Group(table.native, worker, members, policy=policy, **settings)  # type: ignore[arg-type]


def test_a_key_is_the_same_everywhere_and_of_one_endpoint() -> None:
    assert key_of("web", "http://web.example", "192.0.2.1") == KEYS[0]
    assert key_of("web", "http://web.example", "192.0.2.1") != key_of("web2", "http://web.example", "192.0.2.1")
    assert len({key_of("a", "b", "c"), key_of("ab", "", "c"), key_of("a", "bc", "")}) == 3


def test_workers_see_what_each_has_under_way(table: EndpointTable) -> None:
    groups = [group(table, worker) for worker in range(4)]
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
    first = group(table)
    other = EndpointTable.attach(os.dup(table.fd))
    second = group(other, 1)
    for _ in range(30):
        second.end(second.pick(0, ()))
    first.pick(0, ())
    assert sum(other.state(key).requests for key in KEYS) == 31
    del second
    os.close(other.fd)


def test_an_ejected_endpoint_gets_nothing_in_any_worker(table: EndpointTable) -> None:
    first, second = group(table), group(table, 1)
    assert first.failed(1, GATEWAY_FAILURE, 9, True) == 0
    assert second.failed(1, GATEWAY_FAILURE, 9, True) >= 10_000
    picked = Counter(each.pick(0, ()) for each in (first, second) for _ in range(100))
    assert picked[1] == 0
    assert picked.total() == 200
    state = table.state(KEYS[1])
    assert 0 < state.ejected_for <= 11_000
    assert (state.ejections, state.failures) == (1, 2)


def test_what_is_drained_or_down_gets_nothing(table: EndpointTable) -> None:
    each = group(table)
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
    each = group(table)
    each.eject(0)
    table.checked(KEYS[0], healthy=True)
    assert table.state(KEYS[0]).ejected_for > 0
    table.checked(KEYS[0], healthy=False)
    table.checked(KEYS[0], healthy=True)
    state = table.state(KEYS[0])
    assert state.ejected_for == 0
    assert not state.down


def test_tried_members_are_left_out(table: EndpointTable) -> None:
    each = group(table)
    assert {each.pick(0, (0, 2)) for _ in range(20)} == {1}
    assert each.pick(0, (0, 1, 2)) == -1


def test_a_group_that_ends_lets_go_of_its_endpoints(table: EndpointTable) -> None:
    each = group(table)
    table.sweep(1)
    assert table.state(KEYS[0]).requests == 0
    del each
    table.sweep(1)
    with pytest.raises(LookupError, match="no worker uses this endpoint"):
        table.state(KEYS[0])


def test_a_full_table_says_so_and_keeps_nothing_of_the_group(table: EndpointTable) -> None:
    with pytest.raises(MemoryError, match="full"):
        group(table, members=[(number, 1) for number in range(2, 40)])
    table.sweep(1)
    assert group(table, members=[(number, 1) for number in range(2, 18)]).pick(0, ()) >= 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": []},
        {"members": [(1, 1)]},
        {"members": [(5, 0)]},
        {"members": [(5, 65_536)]},
        {"worker": 4},
        {"policy": 4},
        {"panic_percent": 101},
        {"ejected_percent": 101},
        {"seed": 0},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(table: EndpointTable, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"out of bounds|from|1 to"):
        group(table, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"members": 5}, {"members": [5]}, {"members": [("a", 1)]}], ids=str)
def test_what_is_no_member_is_refused(table: EndpointTable, wrong: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        group(table, **wrong)
    each = group(table)
    for call in (lambda: each.pick(0, [0]), lambda: each.pick("a", ()), lambda: each.failed(0, 0, 0)):  # type: ignore
        with pytest.raises(TypeError):
            call()
    for index in (3, 2**40):
        with pytest.raises(IndexError):
            each.end(index)


def test_other_memory_is_no_table() -> None:
    fd = create_sealed("other", 4096)
    with pytest.raises(SentinelError, match="no table of endpoints"):
        EndpointTable.attach(fd)
    os.close(fd)
    with pytest.raises(ValueError, match="rows"):
        table_size(0, 1)
    with pytest.raises(ValueError, match="size"):
        Table(mmap.mmap(-1, 4096), 16, 4)
