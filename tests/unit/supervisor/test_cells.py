"""Cells of the table of endpoints, given to processes and taken back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from sentinel_host.supervisor.cells import SUPERVISOR, Cells, cells_for
from sentinel_host.upstream._endpoints import Cell
from sentinel_host.upstream.table import EndpointTable, keep_swept
from tests.support.loops import JumpingLoop

KEY = 7


@pytest.fixture
def table() -> Iterator[EndpointTable]:
    made = EndpointTable.create(cells_for(2), rows=4)
    yield made
    os.close(made.fd)


def test_each_process_has_a_cell_of_its_own(table: EndpointTable) -> None:
    async def main() -> list[int]:
        cells = Cells(table)
        return [await cells.take() for _ in range(table.cells - 1)]

    taken = asyncio.run(main())
    assert sorted([SUPERVISOR, *taken]) == list(range(6))


def test_a_cell_is_cleared_before_another_process_has_it(table: EndpointTable) -> None:
    async def main() -> tuple[int, int, int]:
        cells = Cells(table)
        first, *_ = [await cells.take() for _ in range(table.cells - 1)]
        cell = Cell(table.native, first, KEY, True)
        for _ in range(3):
            cell.begin()
        next_one = asyncio.create_task(cells.take())
        await asyncio.sleep(0)
        assert not next_one.done()
        cells.release(first)
        active = table.state(KEY).active
        return first, await next_one, active

    first, again, active = asyncio.run(main())
    assert (again, active) == (first, 0)


def test_one_cell_is_left_for_a_successor(table: EndpointTable) -> None:
    async def main() -> int:
        return Cells(table).most_workers

    # Of six cells one is the supervisor's and one the successor's.
    assert asyncio.run(main()) == 4


def test_unused_rows_are_freed_in_time(table: EndpointTable) -> None:
    loop = JumpingLoop()

    async def main() -> list[bool]:
        references = [Cell(table.native, 1, KEY, True)]
        sweeping = asyncio.create_task(keep_swept(table))
        is_there = []
        for _ in range(2):
            await asyncio.sleep(150)
            try:
                table.state(KEY)
                is_there.append(True)
            except LookupError:
                is_there.append(False)
            references.clear()
        sweeping.cancel()
        return is_there

    try:
        assert loop.run_until_complete(main()) == [True, False]
    finally:
        loop.close()
