from __future__ import annotations

from sentinel_host.observe import RequestRecord, Ring


def a_record(number: int) -> RequestRecord:
    return RequestRecord(
        id=f"{number:032x}",
        why="watched",
        worker=0,
        started_at=1_700_000_000_000_000 + number,
        route="all",
        method="GET",
        scheme="http",
        authority="gateway.example",
        path="/",
        query=None,
        client="::1",
        http_version="1.1",
    )


def filled(count: int, capacity: int) -> Ring:
    ring = Ring(capacity)
    for number in range(count):
        ring.add(a_record(number))
    return ring


def test_a_reader_gets_what_is_new() -> None:
    ring = filled(3, 1 << 20)
    taken = ring.after(0)
    assert [record.started_at % 1000 for record in taken.decoded()] == [0, 1, 2]
    assert (taken.next, taken.missed) == (3, 0)
    assert ring.after(taken.next).records == []
    ring.add(a_record(3))
    assert ring.after(taken.next).decoded() == [a_record(3)]


def test_memory_is_bounded_and_a_late_reader_learns_what_it_missed() -> None:
    ring = filled(1000, 20_000)
    assert ring.size <= 20_000
    taken = ring.after(10)
    assert 20 < len(taken.records) < 990
    assert taken.missed == 1000 - 10 - len(taken.records)
    assert taken.decoded()[-1] == a_record(999)


def test_an_answer_is_bounded_and_brings_one_record_at_least() -> None:
    ring = filled(5, 1 << 20)
    size = len(ring.after(0).records[0])
    assert len(ring.after(0, 2 * size).records) == 2
    assert len(ring.after(0, 1).records) == 1


def test_a_record_larger_than_the_ring_is_left_out() -> None:
    ring = Ring(100)
    ring.add(a_record(0))
    assert (ring.size, ring.next, ring.after(0).missed) == (0, 1, 1)


def test_a_reader_with_another_workers_number_begins_with_the_oldest() -> None:
    taken = filled(2, 1 << 20).after(500)
    assert (len(taken.records), taken.next, taken.missed) == (2, 2, 0)
