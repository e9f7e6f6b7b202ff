"""The workers: kept running, replaced one after the other, drained.

Rules:

1. A place has one worker that counts, ``place.worker``. Whoever puts another there takes care of the one before.
2. Every process that was begun is in ``_plans``, with what it serves, until it is gone; what it counted is then added
   to ``_retired``.
3. A place remembers the plan that its worker serves, so that a worker that dies in the middle of a roll comes back as
   what it was.
4. Nothing is started once ``_draining`` is set, and it is looked at again after every wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from sentinel_host.control import (
    ControlError,
    Load,
    Numbers,
    Reconfigure,
    Snapshot,
    Taken,
    guest_faults,
    merge,
)
from sentinel_host.errors import SentinelError
from sentinel_host.hotload.release import Releases
from sentinel_host.hotload.state import GuestState
from sentinel_host.supervisor.backoff import Backoff
from sentinel_host.supervisor.plan import Plan
from sentinel_host.supervisor.process import State, WorkerProcess

_log = logging.getLogger("sentinel.supervisor")

# Seconds for a worker to become ready: systemd's DefaultTimeoutStartSec is 90 s for a whole service.
_START_TIME: Final = 60.0
# What a worker may take beyond the grace period; with it the gateway is gone within grace + 1 s.
_BEYOND_GRACE: Final = 0.85
# A guest may take a second to start, once for each of its configurations, and a self-test as long again.
_TAKING_TIME: Final = 30.0
# How long the admin side waits for a worker that does not answer.
_ANSWER_TIME: Final = 1.0
# How much of a worker's counts dies with it, at most.
_REFRESH_INTERVAL: Final = 1.0


class Place:
    """One of the workers that there are to be."""

    def __init__(self, number: int, plan: Plan, worker: WorkerProcess) -> None:
        self.number = number
        self.plan = plan
        self.worker = worker
        self.restarts = 0
        self.backoff = Backoff()


class RollFailed(SentinelError):
    """A new worker did not come up to what the old one does; every worker serves what it served before."""


class Fleet:
    """All workers of a gateway; the `Overview` of it, too. ``releases`` decides which versions they serve; ``own`` is
    what this process counts. With ``is_ending`` set they serve on, and are not ready."""

    def __init__(self, releases: Releases, own: Callable[[], Snapshot] = Snapshot) -> None:
        self.releases = releases
        self._own = own
        self._places: list[Place] = []
        self._plans: dict[WorkerProcess, Plan] = {}
        self._spare: tuple[Plan, WorkerProcess] | None = None
        self._retired = Snapshot()
        self._silent: set[WorkerProcess] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self.is_ending = False
        self._all_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def workers(self) -> int:
        """How many there are to be."""
        return len(self._places)

    async def start(self, plan: Plan) -> None:
        """Begin; returns once every worker is ready.

        Raises `SentinelError` when one ends by itself before that. One that is killed is started again.
        """
        for number in range(plan.workers):
            self._places.append(Place(number, plan, await self._begin(number, plan)))
        await self._all_ready
        self._spawn_task(self._refresh_always())
        self._spawn_task(self._provide_spare(plan))

    async def roll(self, plan: Plan) -> None:
        """Replace every worker by one of ``plan``, one after the other: each is ready before the old one drains.

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
        self._spawn_task(self._provide_spare(plan))

    async def take(self, message: Load | Reconfigure, codes: dict[str, bytes]) -> Taken | None:
        """Have every worker serve something else; returns how the first refused it, and then no other was asked.

        One that does not answer, or refuses what another took, is told again when its plan says so (`catch_up`).
        """
        waiting = [place.worker for place in self._places if place.worker.state is State.READY]
        while waiting:
            try:
                taken = await waiting.pop(0).take(message, codes, _TAKING_TIME)
                if taken.reason:
                    return taken
                break
            except ControlError:
                continue
        await asyncio.gather(*(worker.take(message, codes, _TAKING_TIME) for worker in waiting), return_exceptions=True)
        return None

    def say_failed(self, name: str, reason: str) -> None:
        """A guest has no new version, for this reason."""
        for place in self._places:
            place.worker.say_failed(name, reason)

    async def catch_up(self) -> None:
        """Have every worker serve what its plan says by now: some were being started while it changed."""
        ready = [place for place in self._places if place.worker.state is State.READY]
        await asyncio.gather(*(self._catch_up(place.number, place.worker, place.plan) for place in ready))

    async def _catch_up(self, number: int, worker: WorkerProcess, plan: Plan) -> None:
        message = Reconfigure(plan.source, plan.guests.message())
        if worker.serves == (plan.source, message.guests.digests()):
            return
        try:
            reason = (await worker.take(message, plan.guests.codes(), _TAKING_TIME)).reason
        except ControlError as error:
            reason = str(error)
        if reason:
            _log.error("worker %d serves something else than it should: %s", number, reason)

    async def guests(self) -> dict[int, list[GuestState]]:
        """The guests of each worker."""
        await self._refresh()
        return {place.number: place.worker.guests for place in self._places}

    async def drain(self) -> None:
        """Let every worker finish what it does within the grace period; returns when all are gone."""
        self._draining = True
        for task in self._tasks:
            task.cancel()
        # As long as one that never accepts has the sockets, connections would wait there, for a reset in the end.
        idle = [worker for worker in self._plans if worker.state is State.STARTING]
        idle += [self._spare[1]] if self._spare is not None else []
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
        for worker in [*self._plans, *([self._spare[1]] if self._spare is not None else [])]:
            worker.kill()

    async def snapshot(self) -> Snapshot:
        """The sum over all workers, and what those that ended had counted."""
        await self._refresh()
        up: Numbers = {(str(place.number),): place.worker.state is State.READY for place in self._places}
        restarts: Numbers = {(str(place.number),): place.restarts for place in self._places}
        own = Snapshot(
            counters={"sentinel_worker_restarts": restarts, **self.releases.counters()},
            gauges={"sentinel_worker_up": up},
        )
        return merge([self._retired, *(worker.snapshot for worker in self._plans), self._own(), own])

    async def faults(self) -> list[str]:
        """What keeps the gateway from being ready."""
        if self.is_ending or self._draining:
            return ["the gateway is about to end"]
        await self._refresh()
        lines = [] if self._places else ["no worker was started yet"]
        guests: dict[str, str] = {}
        for place in self._places:
            if place.worker.state is not State.READY:
                lines.append(f"worker {place.number} is {place.worker.state.value}")
            elif place.worker in self._silent:
                lines.append(f"worker {place.number} does not answer")
            guests |= place.worker.faults
        return lines + guest_faults(guests)

    async def _begin(self, number: int, plan: Plan, tolerated: list[str] | None = None) -> WorkerProcess:
        """Start a worker, which may lack these guests (see `Start`); the caller gives it its place, or ends it."""
        worker = self._take_spare(plan) or await WorkerProcess.spawn(plan.fds(), self.releases)
        self._plans[worker] = plan
        worker.settled.add_done_callback(lambda _: self._on_settled(number, worker))
        worker.gone.add_done_callback(lambda _: self._on_gone(worker))
        asyncio.get_running_loop().call_later(_START_TIME, worker.kill_if_starting)
        worker.begin(plan.start(number, tolerated), plan.guests.codes())
        return worker

    def _on_settled(self, number: int, worker: WorkerProcess) -> None:
        if worker.state is State.READY:
            _log.info("worker %d (pid %d) is ready", number, worker.pid)
            self._spawn_task(self._catch_up(number, worker, self._plans[worker]))
        if not self._all_ready.done() and all(place.worker.state is State.READY for place in self._places):
            self._all_ready.set_result(None)

    def _on_gone(self, worker: WorkerProcess) -> None:
        del self._plans[worker]
        self._silent.discard(worker)
        self._retired = merge([self._retired, worker.snapshot.without_gauges()])
        place = next((place for place in self._places if place.worker is worker), None)
        if place is None or self._draining:
            return
        if not self._all_ready.done() and not worker.was_killed:
            self._all_ready.set_exception(SentinelError(worker.failure or f"a worker did not start: {worker.ending}"))
            return
        self._spawn_task(self._restart(place))

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
                # As a rule there is no memory or no process to be had; whatever it is, a place is not given up.
                reason, served = f"no process could be started: {error}", None
                continue
            if place.worker is not dead:
                fresh.kill()
                return
            place.worker = fresh
            place.restarts += 1
            await fresh.settled
            await self._provide_spare(place.plan)

    async def _replace(self, number: int, plan: Plan) -> None:
        place = self._places[number] if number < len(self._places) else None
        known = list(place.worker.faults) if place is not None else None
        try:
            fresh = await self._begin(number, plan, known)
        except OSError as error:
            raise RollFailed(f"no process could be started: {error}") from None
        try:
            await fresh.settled
        except asyncio.CancelledError:
            fresh.kill()
            raise
        if fresh.state is not State.READY:
            await fresh.gone
            raise RollFailed(fresh.failure or fresh.ending)
        if place is None:
            self._places.append(Place(number, plan, fresh))
            return
        old, place.worker, place.plan, place.backoff = place.worker, fresh, plan, Backoff()
        self._retire(old)

    async def _roll_back(self, before: list[Plan], failed: int) -> None:
        self._shrink(len(before))
        for number in range(min(failed, len(before))):
            try:
                await self._replace(number, before[number])
            except RollFailed as error:
                _log.error("worker %d could not go back to the old configuration: %s", number, error)
        self._spawn_task(self._provide_spare(before[0]))

    def _shrink(self, workers: int) -> None:
        for place in self._places[workers:]:
            self._retire(place.worker)
        del self._places[workers:]

    def _retire(self, worker: WorkerProcess) -> None:
        if worker in self._plans:
            worker.drain()
            asyncio.get_running_loop().call_later(self._plans[worker].grace + _BEYOND_GRACE, worker.kill)

    def _take_spare(self, plan: Plan) -> WorkerProcess | None:
        if self._spare is not None and self._spare[0] is plan:
            (_, worker), self._spare = self._spare, None
            return worker if worker.state is State.WAITING else None
        return None

    async def _provide_spare(self, plan: Plan) -> None:
        """Keep one process that has loaded its code and serves nothing: a worker that dies is replaced at once.

        Loading takes half a second of an idle processor, and several when the other workers have to do its work. One
        that was made for another plan has other sockets, and perhaps older code.
        """
        if self._spare is not None and self._spare[0] is plan and self._spare[1].state is State.WAITING:
            return
        with contextlib.suppress(OSError):
            spare = await WorkerProcess.spawn(plan.fds(), self.releases)
            if self._spare is not None:
                self._spare[1].kill()
            self._spare = (plan, spare)

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_INTERVAL)
            try:
                await self._refresh()
            except Exception:
                _log.exception("the workers' counts could not be had")

    async def _refresh(self) -> None:
        serving = [worker for worker in self._plans if worker.state in (State.READY, State.DRAINING)]
        await asyncio.gather(*(self._refresh_one(worker) for worker in serving))

    async def _refresh_one(self, worker: WorkerProcess) -> None:
        try:
            await worker.refresh(_ANSWER_TIME)
            self._silent.discard(worker)
        except ControlError:
            if worker in self._plans:
                self._silent.add(worker)

    def _spawn_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
