"""Workers that die."""

from __future__ import annotations

import os
import random
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.failover.support import refusing_port
from tests.supervisor.conftest import Start
from tests.supervisor.support import Load, children, command, config, exists, kill, starts, wait_until, workers
from tests.support.clients import Wire, fetch
from tests.support.gateways import GatewayProcess, write_config
from tests.support.upstreams import Upstream
from tests.wat import index


@pytest.mark.parametrize(("count", "deaths"), [(3, 5)])
def test_kills_under_load_lose_only_what_was_in_flight(
    upstream: Upstream, start: Start, count: int, deaths: int
) -> None:
    gateway = start(config(upstream.url, workers=count))
    choice = random.Random(count)
    with Load(gateway.public, fresh=1, kept=1) as load:
        load.wait_for(20)
        for _ in range(deaths):
            wait_until(lambda: len(children(gateway.process.pid)) == count + 1, "the spare worker")
            load.wait_for(10)
            before = starts(gateway)
            kill(choice.choice(list(workers(gateway).values())))
            wait_until(lambda before=before: starts(gateway) > before, "a new worker")
    assert load.refused == []
    # Two clients: a kill takes at most what each of them has in flight.
    assert len(load.lost) <= 2 * deaths, load.lost
    wait_until(lambda: fetch(gateway.admin, "/readyz").status == 200, "readiness")
    total = sum(gateway.metric(f'sentinel_worker_restarts_total{{worker="{number}"}}') for number in range(count))
    assert total == deaths


def test_a_worker_that_starts_late_serves_what_was_loaded_meanwhile(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    """Until it had been told, it served what it had been started with, whose upstream was gone."""

    def serving(gateway: GatewayProcess) -> set[int]:
        """The workers and the spare one, without the process that follows the folder."""
        return {pid for pid in children(gateway.process.pid) if command(pid) == "worker"}

    def text(target: str) -> str:
        # On a busy machine the guest takes long to start.
        routes = 'chain = ["slow"]\n[guest.slow]\nstart_deadline = "60s"'
        return config(target, routes=routes).replace("watch = false", "watch = true")

    slow = {"slow": index.wasm("good/slow_start")}
    gateway = start(text(f"http://127.0.0.1:{refusing_port()}"), slow)
    wait_until(lambda: len(serving(gateway)) == 3, "the spare worker")
    (spare,) = serving(gateway) - set(workers(gateway).values())
    os.kill(spare, signal.SIGSTOP)
    kill(workers(gateway)[0])
    gateway.wait_for_log("a new one starts")
    write_config(tmp_path, text(upstream.url), slow)
    gateway.wait_for_log("was reloaded, and serves")
    before = starts(gateway)
    with Load(gateway.public, fresh=3, kept=0) as load:
        load.wait_for(5)
        os.kill(spare, signal.SIGCONT)
        wait_until(lambda: starts(gateway) > before, "the new worker")
        load.wait_for(20)
    assert (load.lost, load.refused) == ([], [])


def test_connections_wait_when_every_worker_is_dead_at_once(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url))
    first = workers(gateway)
    for pid in first.values():
        kill(pid)
    for _ in range(20):
        assert fetch(gateway.public).body == b"hello"
    wait_until(lambda: starts(gateway) == 4, "both workers again")
    assert not set(first.values()) & set(workers(gateway).values())


def test_a_worker_that_is_asked_to_end_drains_and_is_replaced(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url, grace="600s"))
    with Load(gateway.public, asks_again=True) as load:
        load.wait_for(20)
        for pid in workers(gateway).values():
            before = starts(gateway)
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda before=before: starts(gateway) > before, "a new worker")
            load.wait_for(20)
    assert (load.lost, load.refused) == ([], [])
    assert len(upstream.requests) == load.answered


def test_workers_end_with_a_supervisor_that_was_killed(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url, workers=3))
    wait_until(lambda: len(children(gateway.process.pid)) == 4, "three workers and the spare one")
    processes = children(gateway.process.pid)
    kill(gateway.process.pid)
    gateway.process.wait()
    wait_until(lambda: not any(exists(pid) for pid in processes), "the workers' end")


def test_a_killed_spare_is_not_missed(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url))
    wait_until(lambda: len(children(gateway.process.pid)) == 3, "two workers and the spare one")
    serving = set(workers(gateway).values())
    for pid in children(gateway.process.pid):
        kill(pid)
    wait_until(lambda: starts(gateway) == 4, "two new workers")
    assert not serving & set(workers(gateway).values())
    assert fetch(gateway.public).body == b"hello"


@pytest.mark.parametrize("count", [4])
def test_connections_even_out(upstream: Upstream, start: Start, count: int) -> None:
    """The first worker that woke up once took 64 connections of 64, and kept them.

    No worker is sure of a part of any one burst: on a busy machine one may not run before it is
    over. Where no worker makes room for the others, one of four has a third of its share after a
    thousand connections on such a machine.
    """
    gateway = start(config(upstream.url, workers=count))
    pids = workers(gateway).values()
    before = {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in pids}
    shares: list[int] = []
    with ExitStack() as stack:
        for batch in range(1, 17):
            for _ in range(64):
                stack.enter_context(Wire(gateway.public))
            gateway.wait_for_metric("sentinel_connections", 64 * batch)
            shares = [len(os.listdir(f"/proc/{pid}/fd")) - before[pid] for pid in pids]
            if min(shares) >= sum(shares) / count / 2:
                break
    assert min(shares) >= sum(shares) / count / 2, shares
