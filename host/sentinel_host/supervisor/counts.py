"""What the workers of a fleet have counted, those that have ended included."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from sentinel_host.control import ControlError, Snapshot, merge
from sentinel_host.supervisor.process import State, WorkerProcess

# Seconds that a worker has for its answer.
_ANSWER_TIME: Final = 1.0


class FleetCounts:
    """The counts of ended workers, and which of the others do not answer."""

    def __init__(self) -> None:
        self._ended = Snapshot()
        self._silent: set[WorkerProcess] = set()

    async def refresh(self, workers: Iterable[WorkerProcess]) -> None:
        """Ask all of them that serve for their counts."""
        serving = [worker for worker in workers if worker.state in (State.READY, State.DRAINING)]
        await asyncio.gather(*(self._refresh(worker) for worker in serving))

    def is_silent(self, worker: WorkerProcess) -> bool:
        """Whether it did not answer when it was last asked."""
        return worker in self._silent

    def note_end(self, worker: WorkerProcess) -> None:
        """It is gone; its last counts stay in the sum."""
        self._silent.discard(worker)
        self._ended = merge([self._ended, worker.snapshot.without_gauges()])

    def total(self, workers: Iterable[WorkerProcess]) -> Snapshot:
        """The sum over these workers and all that have ended."""
        return merge([self._ended, *(worker.snapshot for worker in workers)])

    async def _refresh(self, worker: WorkerProcess) -> None:
        try:
            await worker.refresh(_ANSWER_TIME)
            self._silent.discard(worker)
        except ControlError:
            if worker.state is not State.GONE:
                self._silent.add(worker)
