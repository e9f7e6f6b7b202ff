"""How long an endpoint is dead before the dashboard's page is told, which then paints it red."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.bench import contestants
from tests.bench.dashboard import TOKEN, Dashboard
from tests.bench.failover import Endpoint
from tests.bench.processes import BenchError, server

_UPSTREAM: Final = """\
[[upstream]]
name = "{name}"
targets = ["http://127.0.0.1:{dying}", "http://127.0.0.1:{staying}"]

[[route]]
path = "/{name}"
upstream = "{name}"
"""
_RED: Final = ("down", "ejected")
# Seconds between two requests, of which half go to the endpoint that dies.
_PACE: Final = 0.02
_PATIENCE: Final = 30.0


def red_after(folder: Path, core: int, loading: int, rounds: int) -> float:
    """Kill one of two endpoints, in each round of another upstream; returns the most seconds until a
    message of the admin side said so. A round begins right after a message, of which there is one a
    second.
    """
    folder.mkdir()
    with ExitStack() as stack:
        staying = _endpoint(rounds, loading, folder, stack)
        dying = [_endpoint(number, loading, folder, stack) for number in range(rounds)]
        tables = [_UPSTREAM.format(name=each.name, dying=each.port, staying=staying.port) for each in dying]
        config, port = contestants.write_gateway(folder / "gateway", staying.port, "\n".join(tables))
        command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
        environment = {"SENTINEL_ADMIN_TOKEN": TOKEN}
        gateway = stack.enter_context(server("watched", command, port, folder, core, environment=environment))
        dashboard = stack.enter_context(Dashboard(tomllib.loads(config.read_text())["server"]["admin"]))

        def seconds_until(number: int, states: tuple[str, ...]) -> float:
            began = time.monotonic()
            while True:
                gateway.fetch(f"/{dying[number].name}")
                told, at = dashboard.latest
                if told and _state(told, dying[number]) in states:
                    return at - began
                if time.monotonic() - began > _PATIENCE:
                    raise BenchError(f"{dying[number].name} is not {' or '.join(states)}: {told.decode()}")
                time.sleep(_PACE)

        worst = 0.0
        for number, endpoint in enumerate(dying):
            seconds_until(number, ("serving",))
            endpoint.kill()
            worst = max(worst, seconds_until(number, _RED))
        return worst


def _endpoint(number: int, core: int, folder: Path, stack: ExitStack) -> Endpoint:
    made = Endpoint(number, core, folder)
    made.start()
    stack.callback(made.kill)
    return made


def _state(told: bytes, endpoint: Endpoint) -> str:
    for upstream in json.loads(told)["upstreams"]:
        for each in upstream["endpoints"]:
            if upstream["name"] == endpoint.name and each["name"].endswith(f":{endpoint.port}"):
                return str(each["state"])
    return ""
