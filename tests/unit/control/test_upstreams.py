"""What is told of upstreams, from what workers report and from the table."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sentinel_host.control import Snapshot, merge
from sentinel_host.control.snapshot import EndpointReport, UpstreamReport
from sentinel_host.control.upstreams import endpoint_numbers, key_named, state_of, view_upstreams
from sentinel_host.upstream._endpoints import Cell
from sentinel_host.upstream.table import EndpointState, EndpointTable

KEY, OTHER = 7, 8


@pytest.fixture
def table() -> Iterator[EndpointTable]:
    made = EndpointTable.create(2, rows=4)
    yield made
    os.close(made.fd)


def state(
    *, draining: bool = False, down: bool = False, ejected_for: int = 0, in_service_for: int | None = None
) -> EndpointState:
    return EndpointState(draining, down, ejected_for, 0, 0, 0, 0, 0, in_service_for)


@pytest.mark.parametrize(
    ("known", "word"),
    [
        (state(), "serving"),
        (state(in_service_for=1999), "warming"),
        (state(in_service_for=2000), "serving"),
        (state(ejected_for=1, in_service_for=0), "ejected"),
        (state(down=True, ejected_for=1), "down"),
        (state(draining=True, down=True, ejected_for=1), "draining"),
    ],
)
def test_one_word_for_a_state(known: EndpointState, word: str) -> None:
    assert state_of(known, slow_start=2.0) == word


def test_without_a_slow_start_nothing_warms_up() -> None:
    assert state_of(state(in_service_for=0), slow_start=0.0) == "serving"


def test_connections_of_workers_are_added_up_and_settings_are_the_latest() -> None:
    one = Snapshot(upstreams={"web": UpstreamReport("random", 0.0, {KEY: EndpointReport("a", 1, 2, 1, 3, 4)})})
    two = Snapshot(
        upstreams={
            "web": UpstreamReport(
                "hash", 5.0, {KEY: EndpointReport("a", 9, 10, 20, 30, 40), OTHER: EndpointReport("b", 1)}
            )
        }
    )
    expected = UpstreamReport("hash", 5.0, {KEY: EndpointReport("a", 9, 12, 21, 33, 44), OTHER: EndpointReport("b", 1)})
    assert merge([one, two]).upstreams == {"web": expected}
    assert one.upstreams["web"].endpoints[KEY].open == 2


def test_a_worker_that_has_ended_has_no_endpoints() -> None:
    assert Snapshot(upstreams={"web": UpstreamReport("random", 0.0)}).without_gauges() == Snapshot()


def test_an_endpoint_that_no_worker_has_any_more_is_left_out(table: EndpointTable) -> None:
    reports = {"web": UpstreamReport("random", 0.0, {KEY: EndpointReport("a", 1), OTHER: EndpointReport("b", 1)})}
    cell = Cell(table.native, 0, KEY, True)
    cell.begin()
    (upstream,) = view_upstreams(reports, table)
    assert [(each.name, each.active) for each in upstream.endpoints] == [("a", 1)]
    assert endpoint_numbers(reports, table).gauges["sentinel_endpoint_active"] == {("web", "a"): 1}


def test_an_endpoint_is_found_by_its_name_or_what_there_is_is_told() -> None:
    reports = {"web": UpstreamReport("random", 0.0, {KEY: EndpointReport("http://a:1", 1)})}
    assert key_named(reports, "web", "http://a:1") == KEY
    with pytest.raises(LookupError, match="no upstream 'api'; there are: web"):
        key_named(reports, "api", "http://a:1")
    with pytest.raises(LookupError, match="no endpoint 'a'; it has: http://a:1"):
        key_named(reports, "web", "a")
