"""The places of workers, and one process in reserve."""

from __future__ import annotations

import contextlib

from sentinel_host.supervisor.backoff import Backoff
from sentinel_host.supervisor.plan import FleetPlan
from sentinel_host.supervisor.process import State, WorkerObserver, WorkerProcess


class Place:
    """One of the workers that a plan asks for."""

    def __init__(self, number: int, plan: FleetPlan, worker: WorkerProcess) -> None:
        self.number = number
        self.plan = plan
        self.worker = worker
        self.restarts = 0
        self.backoff = Backoff()

    def restart(self, worker: WorkerProcess) -> None:
        """This worker takes the place of one that died."""
        self.worker = worker
        self.restarts += 1

    def replace(self, worker: WorkerProcess, plan: FleetPlan) -> WorkerProcess:
        """This worker, of this plan, takes the place of another, which is returned."""
        before, self.worker = self.worker, worker
        self.plan, self.backoff = plan, Backoff()
        return before


class Spare:
    """One process that has loaded its code and serves nothing, so that a worker that dies is
    replaced at once.

    Loading takes half a second of an idle processor, and several when the other workers have to do
    the dead one's work. A process that was made for another plan has other sockets, and perhaps
    older code.
    """

    def __init__(self, observer: WorkerObserver) -> None:
        self._observer = observer
        self._plan: FleetPlan | None = None
        self._worker: WorkerProcess | None = None

    async def provide(self, plan: FleetPlan) -> None:
        """Have one for this plan, if a process can be started."""
        if self._worker is not None and self._plan is plan and self._worker.state is State.WAITING:
            return
        with contextlib.suppress(OSError):
            worker = await WorkerProcess.spawn(plan.fds(), self._observer)
            if self._worker is not None:
                self._worker.kill()
            self._plan, self._worker = plan, worker

    def take(self, plan: FleetPlan) -> WorkerProcess | None:
        """The process for this plan, if there is one."""
        if self._worker is None or self._plan is not plan:
            return None
        worker, self._worker = self._worker, None
        return worker if worker.state is State.WAITING else None

    def processes(self) -> list[WorkerProcess]:
        """None or one."""
        return [self._worker] if self._worker is not None else []
