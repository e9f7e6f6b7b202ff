"""Which process counts where in the table of endpoints.

Rule 1: each process has a cell of its own as long as it lives, also while it drains beside its
        successor.
Rule 2: a cell is cleared once its process has been reaped, and only then given to another.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sentinel_host.upstream import EndpointTable

SUPERVISOR: Final = 0
"""The supervisor's own cell."""
# While all workers are replaced, each has a successor.
_PER_WORKER: Final = 2


def cells_for(workers: int) -> int:
    """How many cells a table needs: workers, their successors, the supervisor, and one for a worker
    that is killed.
    """
    return _PER_WORKER * workers + 2


class Cells:
    """The workers' cells of ``table``; made on an event loop."""

    def __init__(self, table: EndpointTable) -> None:
        self._table = table
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for cell in range(SUPERVISOR + 1, table.cells):
            self._free.put_nowait(cell)

    @property
    def most_workers(self) -> int:
        """The largest number of workers that leaves a free cell for a successor."""
        return self._table.cells - 2

    async def take(self) -> int:
        """A cell for a new process. Waits for a process to end while no cell is free."""
        return await self._free.get()

    def release(self, cell: int) -> None:
        """The process of this cell has been reaped: clear its counts, and give the cell to the next
        one.
        """
        self._table.clear_worker(cell)
        self._free.put_nowait(cell)
