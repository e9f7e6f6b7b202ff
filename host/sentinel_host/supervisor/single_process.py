"""One process that serves by itself, without a supervisor."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from typing import Final

from hypercorn.utils import LifespanFailureError

from sentinel_host.config import Config
from sentinel_host.control import Snapshot, guest_faults, merge
from sentinel_host.control.admin import install_admin
from sentinel_host.errors import SentinelError
from sentinel_host.export import Exporter
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.state import GuestState
from sentinel_host.observe import Taken
from sentinel_host.server import QuicGroup
from sentinel_host.server.serve import run, serve
from sentinel_host.supervisor.checked_config import checked_config
from sentinel_host.supervisor.exporting import exporter_of
from sentinel_host.supervisor.listeners import Listening, print_listeners
from sentinel_host.supervisor.notify import Notifier
from sentinel_host.supervisor.prepared import Prepared
from sentinel_host.supervisor.serving import Serving, tune_collector
from sentinel_host.supervisor.signals import end_at_next
from sentinel_host.upstream import EndpointTable

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def run_single_process(serving: Serving, prepared: Prepared, notifier: Notifier) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP looks for
    changes.

    Raises `SentinelError` when it cannot start.
    """
    listeners = [*prepared.public, *([prepared.admin] if prepared.admin is not None else [])]
    endpoints = [listening.endpoint(prepared.certificates) for listening in listeners]
    quic, tls = prepared.quic, prepared.config.server.tls
    overview = _SingleProcess(serving, [*listeners, *([quic] if quic is not None else [])], notifier)
    exporter = exporter_of(prepared.config, overview)
    overview.exporter = exporter
    install_admin(serving.gateway, overview, prepared.access)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def end() -> None:
            notifier.stopping()
            if lame_duck := overview.end():
                loop.call_later(lame_duck, stop.set)
            else:
                stop.set()
            for number in _ENDING:
                loop.remove_signal_handler(number)
            end_at_next(*_ENDING)

        for number in _ENDING:
            loop.add_signal_handler(number, end)
        loop.add_signal_handler(signal.SIGHUP, overview.reload)
        loop.add_signal_handler(signal.SIGUSR1, serving.reopen)
        await serve(
            serving.gateway,
            endpoints,
            serving.connections,
            shutdown=stop.wait,
            grace=serving.grace,
            ready=overview.ready,
            quic=quic.endpoint(0, prepared.certificates.of(tls)) if quic is not None and tls is not None else None,
        )
        if exporter is not None:
            await exporter.close()
        serving.close()
        notifier.close()

    try:
        run(main())
    except LifespanFailureError as error:
        raise SentinelError(str(error)) from None


class _SingleProcess:
    """The `Overview` of one process."""

    def __init__(self, serving: Serving, listeners: list[Listening | QuicGroup], notifier: Notifier) -> None:
        self._serving = serving
        self._listeners = listeners
        self._notifier = notifier
        self.exporter: Exporter | None = None
        self._is_ready = False
        self._is_ending = False

    def ready(self) -> None:
        tune_collector()
        self._is_ready = True
        print_listeners(self._listeners)
        self._notifier.ready("serving")
        if self.exporter is not None:
            self.exporter.start()

    def end(self) -> float:
        """Be not ready any more; returns for how many seconds requests are to be accepted all the
        same.
        """
        self._is_ending = True
        return self._serving.lame_duck if self._is_ready else 0.0

    def reload(self) -> None:
        """SIGHUP."""
        if self._is_ready and not self._is_ending:
            self._serving.gateway.reload()

    @property
    def config(self) -> Config:
        """Part of `Overview`."""
        return self._serving.gateway.manager.config

    @property
    def refusal(self) -> str:
        """Part of `Overview`."""
        return self._serving.gateway.manager.refusal

    @property
    def is_ending(self) -> bool:
        """Part of `Overview`."""
        return self._is_ending

    async def check(self, text: str) -> Config:
        """Part of `Overview`."""
        return await checked_config(text, self.config)

    async def snapshot(self) -> Snapshot:
        this = Snapshot(
            counters={
                "sentinel_worker_restarts": {("0",): 0},
                **self.rollouts.counters(),
            },
            gauges={"sentinel_worker_up": {("0",): 1}, "sentinel_config_refused": {(): bool(self.refusal)}},
        )
        exported = [self.exporter.snapshot()] if self.exporter is not None else []
        return merge([self._serving.snapshot(), this, *exported])

    @property
    def rollouts(self) -> RolloutController:
        """Part of `Overview`."""
        return self._serving.gateway.rollouts

    @property
    def endpoints(self) -> EndpointTable:
        """Part of `Overview`."""
        return self._serving.gateway.endpoints

    async def guests(self) -> dict[int, list[GuestState]]:
        return {0: self._serving.gateway.guest_states()}

    async def records(self, after: Mapping[int, int], *, watch: bool, explain: str = "") -> dict[int, Taken]:
        recorder = self._serving.gateway.recorder
        if explain:
            recorder.explain_for(explain)
        if watch:
            recorder.watch()
        return {0: recorder.ring.after(after.get(0, 0))}

    async def lines(self) -> list[bytes]:
        """Part of `Overview`."""
        return self._serving.take_lines()

    async def faults(self) -> list[str]:
        faults = guest_faults(self._serving.gateway.generation.faults)
        return ["the gateway is about to end", *faults] if self._is_ending else faults
