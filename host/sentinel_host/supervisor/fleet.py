"""The workers: kept running, replaced one after the other, drained.

Rules:

1. A place has one current worker, ``place.worker``. The code that replaces it retires or kills the
   one before.
2. Every process that was started is in ``_plans``, with what it serves, until it is gone. Its
   counts then stay in the sum.
3. A place remembers the plan that its worker serves, so that a worker that dies in the middle of a
   roll comes back with the same plan.
4. Nothing is started once ``_draining`` is set, and it is checked again after every wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from sentinel_host.control import Applied, ControlError, Load, Reconfigure, Snapshot
from sentinel_host.errors import SentinelError
from sentinel_host.net import Remembered
from sentinel_host.supervisor.cells import Cells
from sentinel_host.supervisor.counts import FleetCounts
from sentinel_host.supervisor.places import Place, Spare
from sentinel_host.supervisor.plan import FleetPlan
from sentinel_host.supervisor.process import State, WorkerObserver, WorkerProcess

_log = logging.getLogger("sentinel.supervisor")

# Seconds for a worker to become ready: systemd's DefaultTimeoutStartSec is 90 s for a whole
# service.
_START_TIME: Final = 60.0
# Seconds beyond the grace period that a worker may take: the gateway must end within grace + 1 s.
_BEYOND_GRACE: Final = 0.85
# A guest may take a second to start for each of its configurations, and as long for its self-test.
_APPLY_TIME: Final = 30.0
# Seconds for a worker that drains to accept no more.
_CLOSE_TIME: Final = 5.0
# Seconds. A worker that dies loses the counts of this interval at most.
_REFRESH_INTERVAL: Final = 1.0


_SERVING: Final = (State.ACCEPTING, State.READY, State.DRAINING)

Steer = Callable[[Sequence[int], Sequence[int]], None]


class RollFailed(SentinelError):
    """A new worker serves less than the old one, or did not start; every worker serves what it
    served before.
    """


class Fleet:
    """All workers of a gateway, each with one of the ``cells``.

    ``observer`` hears what they report unasked. ``steer`` is told the cells of those that accept,
    and of those that have connections, whenever these change.
    """

    def __init__(self, observer: WorkerObserver, cells: Cells, steer: Steer = lambda accepting, alive: None) -> None:
        self._observer = observer
        self._steer = steer
        self._steered: tuple[list[int], list[int]] = [], []
        self._cells = cells
        self._places: list[Place] = []
        self._plans: dict[WorkerProcess, FleetPlan] = {}
        self._spare = Spare(observer)
        self._counts = FleetCounts()
        self._names = Remembered()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._all_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def places(self) -> list[Place]:
        """One for each worker that the plan asks for."""
        return list(self._places)

    async def start(self, plan: FleetPlan) -> None:
        """Start the workers; returns once every worker is ready.

        Raises `SentinelError` when one ends by itself before that. One that is killed is started
        again.
        """
        for number in range(plan.workers):
            self._places.append(Place(number, plan, await self._begin(number, plan)))
        await self._all_ready
        self._spawn_task(self._refresh_always())
        self._spawn_task(self._spare.provide(plan))

    async def roll(self, plan: FleetPlan) -> None:
        """Replace every worker by one of ``plan``, one after the other: each is ready before the
        old one drains. Returns once no old one accepts.

        Raises `RollFailed`.
        """
        before = [place.plan for place in self._places]
        for number in range(plan.workers):
            try:
                await self._replace(number, plan)
            except RollFailed as error:
                await self._roll_back(before, number)
                raise error
        self._shrink(plan.workers)
        self._spawn_task(self._spare.provide(plan))
        draining = [worker.draining_or_gone for worker in self._plans if worker.state is State.DRAINING]
        if draining:
            # One that hangs is killed after its grace period.
            await asyncio.wait(draining, timeout=_CLOSE_TIME)

    async def apply(self, message: Load | Reconfigure, codes: dict[str, bytes]) -> Applied | None:
        """Tell every worker to apply a change. If the first worker refuses it, return its refusal
        and ask no other.

        A worker that does not answer, or refuses what another applied, is told again by `catch_up`.
        """
        waiting = [place.worker for place in self._places if place.worker.takes_changes]
        while waiting:
            try:
                applied = await waiting.pop(0).apply(message, codes, _APPLY_TIME)
                if applied.reason:
                    return applied
                break
            except ControlError:
                continue
        await asyncio.gather(*(worker.apply(message, codes, _APPLY_TIME) for worker in waiting), return_exceptions=True)
        return None

    def reopen_logs(self) -> None:
        """The files of the logs were moved away."""
        for worker in self._plans:
            worker.reopen_logs()

    def learned(self, names: Remembered) -> None:
        """A worker has got answers of the name service, with which later ones are to begin."""
        self._names.update(names)

    def tell_load_failed(self, name: str, reason: str) -> None:
        """Tell all workers that a new version of a guest could not be loaded, and why."""
        for place in self._places:
            place.worker.tell_load_failed(name, reason)

    async def catch_up(self) -> None:
        """Bring every worker up to date with its plan: one may not have taken a change that the
        others took.
        """
        serving = [place for place in self._places if place.worker.takes_changes]
        await asyncio.gather(*(self._catch_up(place.number, place.worker, place.plan) for place in serving))

    async def refresh(self) -> None:
        """Ask the workers for their counts."""
        await self._counts.refresh(self._plans)

    def counted(self) -> Snapshot:
        """The latest counts of all workers, those that have ended included."""
        return self._counts.total(self._plans)

    def is_silent(self, worker: WorkerProcess) -> bool:
        """Whether it did not answer when it was last asked."""
        return self._counts.is_silent(worker)

    async def drain(self) -> None:
        """Let every worker finish what it does within the grace period; returns when all are
        gone.
        """
        self._draining = True
        for task in self._tasks:
            task.cancel()
        # Workers that do not accept yet also hold the sockets. Connections would wait in the queue
        # until the last holder closes it, and then be reset.
        idle = [worker for worker in self._plans if worker.state in (State.STARTING, State.PREPARED)]
        idle += self._spare.processes()
        for worker in idle:
            worker.kill()
        await asyncio.gather(*(worker.gone for worker in idle))
        for worker in list(self._plans):
            self._retire(worker)
        while self._plans:
            await asyncio.wait([worker.gone for worker in self._plans])

    def kill(self) -> None:
        """End every process now."""
        self._draining = True
        for worker in [*self._plans, *self._spare.processes()]:
            worker.kill()

    async def _begin(self, number: int, plan: FleetPlan, tolerated: list[str] | None = None) -> WorkerProcess:
        """Start a worker, which may lack these guests (see `Start`); the caller gives it its place,
        or ends it.
        """
        cell = await self._cells.take()
        try:
            worker = self._spare.take(plan) or await WorkerProcess.spawn(plan.fds(), self._observer)
        except BaseException:
            self._cells.release(cell)
            raise
        self._plans[worker] = plan
        worker.ready_or_gone.add_done_callback(lambda _: self._on_ready_or_gone(number, worker))
        # Its last messages may take a second; what it had under way ended with it.
        worker.ended.add_done_callback(lambda _: self._on_ended(cell))
        worker.draining_or_gone.add_done_callback(lambda _: self._note_accepting())
        worker.gone.add_done_callback(lambda _: self._on_gone(worker))
        asyncio.get_running_loop().call_later(_START_TIME, worker.kill_if_starting)
        worker.begin(plan.start(number, cell, tolerated, self._names), plan.guests.codes())
        self._spawn_task(self._have_accept(number, worker))
        return worker

    async def _have_accept(self, number: int, worker: WorkerProcess) -> None:
        """Let a worker accept once it serves what its plan has become while it started."""
        await worker.prepared_or_gone
        while worker.state is State.PREPARED and _is_behind(worker, self._plans[worker]):
            if not await self._catch_up(number, worker, self._plans[worker]):
                break
        if worker.state is State.PREPARED:
            worker.accept()

    def _on_ready_or_gone(self, number: int, worker: WorkerProcess) -> None:
        if worker.state is State.READY:
            self._note_accepting()
            _log.info("worker %d (pid %d) is ready", number, worker.pid)
        if not self._all_ready.done() and all(place.worker.state is State.READY for place in self._places):
            self._all_ready.set_result(None)

    def _on_ended(self, cell: int) -> None:
        self._note_accepting()
        self._cells.release(cell)

    def _note_accepting(self) -> None:
        alive = [worker for worker in self._plans if worker.state in _SERVING and not worker.ended.done()]
        accepting = [each for each in alive if each.state is State.READY and not each.draining_or_gone.done()]
        steered = sorted(worker.cell for worker in accepting), sorted(worker.cell for worker in alive)
        if steered != self._steered:
            self._steered = steered
            self._steer(*steered)

    def _on_gone(self, worker: WorkerProcess) -> None:
        del self._plans[worker]
        self._counts.note_end(worker)
        place = next((place for place in self._places if place.worker is worker), None)
        if place is None or self._draining:
            return
        if not self._all_ready.done() and not worker.was_killed:
            self._all_ready.set_exception(SentinelError(worker.failure or f"a worker did not start: {worker.ending}"))
            return
        self._spawn_task(self._restart(place))

    async def _catch_up(self, number: int, worker: WorkerProcess, plan: FleetPlan) -> bool:
        """Have a worker serve its plan; whether it does."""
        if not _is_behind(worker, plan):
            return True
        try:
            message = Reconfigure(plan.source, plan.guests.message())
            reason = (await worker.apply(message, plan.guests.codes(), _APPLY_TIME)).reason
        except ControlError as error:
            reason = str(error)
        if reason:
            _log.error("worker %d serves something else than it should: %s", number, reason)
        return not reason

    async def _restart(self, place: Place) -> None:
        dead = place.worker
        reason, served = dead.failure or dead.ending, dead.served
        while place.worker is dead:
            delay = place.backoff.after_death(served)
            when = f"in {delay:g} s" if delay else "now"
            _log.error("worker %d (pid %d) ended: %s; a new one starts %s", place.number, dead.pid, reason, when)
            await asyncio.sleep(delay)
            if place.worker is not dead:
                return
            try:
                fresh = await self._begin(place.number, place.plan)
            except Exception as error:
                # Usually there is no memory, or no process can be started. Keep trying, whatever
                # the error.
                reason, served = f"no process could be started: {error}", None
                continue
            if place.worker is not dead:
                fresh.kill()
                return
            place.restart(fresh)
            await fresh.ready_or_gone
            await self._spare.provide(place.plan)

    async def _replace(self, number: int, plan: FleetPlan) -> None:
        place = self._places[number] if number < len(self._places) else None
        known = list(place.worker.faults) if place is not None else None
        try:
            fresh = await self._begin(number, plan, known)
        except OSError as error:
            raise RollFailed(f"no process could be started: {error}") from None
        try:
            await fresh.ready_or_gone
        except asyncio.CancelledError:
            fresh.kill()
            raise
        if fresh.state is not State.READY:
            await fresh.gone
            raise RollFailed(fresh.failure or fresh.ending)
        if place is None:
            self._places.append(Place(number, plan, fresh))
            return
        self._retire(place.replace(fresh, plan))

    async def _roll_back(self, before: list[FleetPlan], failed: int) -> None:
        self._shrink(len(before))
        for number in range(min(failed, len(before))):
            try:
                await self._replace(number, before[number])
            except RollFailed as error:
                _log.error("worker %d could not go back to the old configuration: %s", number, error)
        self._spawn_task(self._spare.provide(before[0]))

    def _shrink(self, workers: int) -> None:
        for place in self._places[workers:]:
            self._retire(place.worker)
        del self._places[workers:]

    def _retire(self, worker: WorkerProcess) -> None:
        if worker in self._plans:
            worker.drain()
            self._note_accepting()
            asyncio.get_running_loop().call_later(self._plans[worker].grace + _BEYOND_GRACE, worker.kill)

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_INTERVAL)
            try:
                await self.refresh()
            except Exception:
                _log.exception("the workers' counts could not be read")

    def _spawn_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_behind(worker: WorkerProcess, plan: FleetPlan) -> bool:
    """Whether it serves something else than its plan says."""
    return worker.serves != (plan.source, plan.guests.message().digests())
