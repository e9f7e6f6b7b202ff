"""A gateway that serves as many requests as it can, with and without somebody at its dashboard."""

from __future__ import annotations

import http.client
import sys
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import contestants
from tests.bench.load import saturate
from tests.bench.processes import BenchError, PeakMemory, server
from tests.bench.report import median

TOKEN: Final = "the-token-of-this-benchmark"
_ROUTE: Final = """\
[[route]]
path = "/"
upstream = "origin"
"""
_CONNECTIONS: Final = 64
# Seconds without a message after which the stream has ended.
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Flood:
    """Requests a second, and the processor time of one in µs, with the dashboard closed and open;
    the messages a second that the open one got, and by how many MiB the gateway grew meanwhile.
    """

    closed_rps: float
    open_rps: float
    closed_us: float
    open_us: float
    messages: float
    growth_mib: float


class Dashboard:
    """Listens to the events of an admin side, as the page does, while the block runs. ``states`` are
    the messages that it got, ``latest`` is the last one in JSON, and when it came.
    """

    def __init__(self, admin: str) -> None:
        self.states = 0
        self.latest = b"", 0.0
        self._connection = http.client.HTTPConnection(admin, timeout=_PATIENCE)
        self._connection.request("GET", "/events", headers={"authorization": f"Bearer {TOKEN}"})
        self._response = self._connection.getresponse()
        if self._response.status != 200:
            raise BenchError(f"/events: {self._response.status}")
        self._ending = False
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Dashboard:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending = True
        self._thread.join()
        self._connection.close()
        if self._fault is not None:
            raise BenchError(f"/events: {self._fault!r}")

    def _run(self) -> None:
        try:
            while not self._ending:
                if self._response.readline() == b"event: state\n":
                    told = self._response.readline().removeprefix(b"data: ")
                    self.latest = told, time.monotonic()
                    self.states += 1
        except (OSError, http.client.HTTPException) as error:
            self._fault = error


def flood(folder: Path, core: int, loading: int, behind: int, *, rounds: int, seconds: int) -> Flood:
    """Load a gateway before the port ``behind`` in rounds, of which every second one has a dashboard
    open. Raises `BenchError` for any request or message that fails.
    """
    folder.mkdir()
    config, port = contestants.write_gateway(folder / "gateway", behind, _ROUTE)
    admin = tomllib.loads(config.read_text())["server"]["admin"]
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    environment = {"SENTINEL_ADMIN_TOKEN": TOKEN}
    closed, opened, messages, growth = [], [], [], 0.0
    with server("flooded", command, port, folder, core, environment=environment) as gateway:
        saturate(gateway, loading, connections=_CONNECTIONS, seconds=1)
        for _ in range(rounds):
            closed.append(saturate(gateway, loading, connections=_CONNECTIONS, seconds=seconds))
            with Dashboard(admin) as dashboard, PeakMemory(gateway.memory) as memory:
                opened.append(saturate(gateway, loading, connections=_CONNECTIONS, seconds=seconds))
                messages.append(dashboard.states / seconds)
            growth = max(growth, memory.growth_mib)
    return Flood(
        closed_rps=median(each.load.rps for each in closed),
        open_rps=median(each.load.rps for each in opened),
        closed_us=median(each.cpu_us for each in closed),
        open_us=median(each.cpu_us for each in opened),
        messages=min(messages),
        growth_mib=growth,
    )
