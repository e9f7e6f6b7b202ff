"""What the admin side tells of a fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from sentinel_host.config import Config
from sentinel_host.control import Numbers, Snapshot, guest_faults, merge
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.state import GuestState
from sentinel_host.observe import Taken
from sentinel_host.supervisor.checked_config import checked_config
from sentinel_host.supervisor.checking import FleetChecks
from sentinel_host.supervisor.fleet import Fleet
from sentinel_host.supervisor.process import State
from sentinel_host.upstream import EndpointTable


class FleetOverview:
    """The `Overview` of ``fleet``. ``own`` is what this process counts and ``lines`` what it
    logs, ``config`` what is served, and why the file is not, if it is not; while ``is_ending`` it
    is not ready.
    """

    def __init__(
        self,
        fleet: Fleet,
        rollouts: RolloutController,
        endpoints: EndpointTable,
        checks: FleetChecks,
        own: Callable[[], Snapshot],
        is_ending: Callable[[], bool],
        config: Callable[[], tuple[Config, str]],
        lines: Callable[[], list[bytes]],
    ) -> None:
        self._fleet = fleet
        self._rollouts = rollouts
        self._endpoints = endpoints
        self._checks = checks
        self._own = own
        self._is_ending = is_ending
        self._config = config
        self._lines = lines

    @property
    def config(self) -> Config:
        """Part of `Overview`."""
        return self._config()[0]

    @property
    def refusal(self) -> str:
        """Part of `Overview`."""
        return self._config()[1]

    @property
    def is_ending(self) -> bool:
        """Part of `Overview`."""
        return self._is_ending()

    async def check(self, text: str) -> Config:
        """Part of `Overview`."""
        return await checked_config(text, self.config)

    @property
    def rollouts(self) -> RolloutController:
        """Part of `Overview`."""
        return self._rollouts

    @property
    def endpoints(self) -> EndpointTable:
        """Part of `Overview`."""
        return self._endpoints

    async def guests(self) -> dict[int, list[GuestState]]:
        """Part of `Overview`."""
        await self._fleet.refresh()
        return {place.number: place.worker.guests for place in self._fleet.places}

    async def records(self, after: Mapping[int, int], *, watch: bool, explain: str = "") -> dict[int, Taken]:
        """Part of `Overview`. A worker that does not answer is left out."""
        places = [place for place in self._fleet.places if place.worker.state is State.READY]
        asked = [place.worker.records(after.get(place.number, 0), watch=watch, explain=explain) for place in places]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return {
            place.number: answer for place, answer in zip(places, answers, strict=True) if isinstance(answer, Taken)
        }

    async def lines(self) -> list[bytes]:
        """Part of `Overview`. A worker that does not answer is left out."""
        workers = [place.worker for place in self._fleet.places if place.worker.state is State.READY]
        answers = await asyncio.gather(*(worker.lines() for worker in workers), return_exceptions=True)
        return self._lines() + [line for answer in answers if isinstance(answer, list) for line in answer]

    async def snapshot(self) -> Snapshot:
        """Part of `Overview`."""
        await self._fleet.refresh()
        places = self._fleet.places
        up: Numbers = {(str(place.number),): place.worker.state is State.READY for place in places}
        restarts: Numbers = {(str(place.number),): place.restarts for place in places}
        supervisor = Snapshot(
            counters={
                "sentinel_worker_restarts": restarts,
                "sentinel_endpoint_check_changes": self._checks.changes(),
                **self._rollouts.counters(),
            },
            gauges={"sentinel_worker_up": up, "sentinel_config_refused": {(): bool(self.refusal)}},
        )
        return merge([self._fleet.counted(), self._own(), supervisor])

    async def faults(self) -> list[str]:
        """Part of `Overview`."""
        if self._is_ending():
            return ["the gateway is about to end"]
        await self._fleet.refresh()
        places = self._fleet.places
        lines = [] if places else ["no worker was started yet"]
        guests: dict[str, str] = {}
        for place in places:
            if place.worker.state is not State.READY:
                lines.append(f"worker {place.number} is {place.worker.state.value}")
            elif self._fleet.is_silent(place.worker):
                lines.append(f"worker {place.number} does not answer")
            guests |= place.worker.faults
        return lines + guest_faults(guests)
