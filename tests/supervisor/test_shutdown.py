"""SIGTERM with several workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.supervisor.conftest import Start
from tests.supervisor.support import Load, Pieces, children, config, exists, launched, refuses, wait_until, workers
from tests.support.clients import Wire, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import write_config
from tests.support.modules import costly
from tests.support.upstreams import Upstream, answer_hello


@pytest.mark.parametrize("workers", [2])
def test_streams_that_end_within_the_grace_period_are_whole(upstream: Upstream, start: Start, workers: int) -> None:
    gateway = start(config(upstream.url, workers=workers, grace="600s"))
    streams = []
    with ExitStack() as stack:
        for _ in range(6):
            pieces = Pieces()
            upstream.handler = pieces
            wire = stack.enter_context(Wire(gateway.public))
            wire.get()
            assert wire.head().status == 200
            streams.append((wire, pieces))
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(gateway.public), "new connections to be refused")
        for number, (wire, pieces) in enumerate(streams):
            pieces.send(b"%d" % number)
            assert wire.chunk() == b"%d" % number
        for wire, pieces in streams:
            pieces.send(b"")
            assert wire.chunk() == b""
    assert gateway.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_that_could_not_be_told_of_the_close_is_answered_once_more(
    upstream: Upstream, start: Start, workers: int
) -> None:
    """A response whose head had gone out without ``Connection: close`` was once followed by a bare
    end.
    """
    gateway = start(config(upstream.url, workers=workers, grace="600s"))
    upstream.handler = pieces = Pieces()
    with Wire(gateway.public) as wire:
        wire.get()
        head = wire.head()
        assert (head.status, head.header("connection")) == (200, None)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(gateway.public), "new connections to be refused")
        pieces.send(b"")
        assert wire.chunk() == wire.line() == b""
        upstream.handler = answer_hello
        wire.get()
        head = wire.head()
        assert (head.status, head.header("connection")) == (200, "close")
    assert gateway.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_in_full_flow_all_get_their_answer(upstream: Upstream, start: Start, workers: int) -> None:
    gateway = start(config(upstream.url, workers=workers, grace="600s"))
    with Load(gateway.public, fresh=2, kept=2) as load:
        load.wait_for(50)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: len(load.refused) > 3, "new connections to be refused")
    assert load.lost == []
    assert gateway.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [3])
def test_a_stream_without_end_holds_it_up_for_the_grace_period_only(
    upstream: Upstream, start: Start, workers: int
) -> None:
    gateway = start(config(upstream.url, workers=workers, grace="2s"))
    upstream.handler = pieces = Pieces()
    with Wire(gateway.public) as wire:
        wire.get()
        assert wire.head().status == 200
        processes = children(gateway.process.pid)
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(PATIENCE) == 0
        # Not a proper end: the client can tell.
        assert wire.rest() == b""
    pieces.send(b"")
    assert not any(exists(pid) for pid in processes)


@pytest.mark.parametrize(("workers", "number"), [(1, signal.SIGINT), (2, signal.SIGTERM)])
def test_a_second_signal_ends_everything_at_once(
    upstream: Upstream, start: Start, workers: int, number: signal.Signals
) -> None:
    gateway = start(config(upstream.url, workers=workers, grace="60s"))
    upstream.handler = pieces = Pieces()
    with Wire(gateway.public) as wire:
        wire.get()
        assert wire.head().status == 200
        processes = children(gateway.process.pid)
        gateway.process.send_signal(number)
        wait_until(lambda: refuses(gateway.public), "new connections to be refused")
        gateway.process.send_signal(number)
        assert gateway.process.wait(PATIENCE) == -number
        wait_until(lambda: not any(exists(pid) for pid in processes), "the workers' end")
    pieces.send(b"")


def test_a_terminals_signal_reaches_the_supervisor_only(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url))
    group = os.getpgid(gateway.process.pid)
    pids = children(gateway.process.pid)
    assert pids
    # One that is just being made, as the spare worker may be, is in the supervisor's until it
    # leaves that.
    wait_until(lambda: all(os.getpgid(pid) != group for pid in pids), "its processes to have groups of their own")


@pytest.fixture(scope="module")
def namespaced() -> list[str]:
    """The command that makes another the first process of a container."""
    command = ["unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this user may not make process namespaces")
    return command


@pytest.mark.parametrize("count", [1, 2])
def test_a_second_signal_ends_the_first_process_of_a_container(
    upstream: Upstream, tmp_path: Path, count: int, namespaced: list[str]
) -> None:
    """The kernel keeps the default action of a signal from it: one worker went on to the end of the
    grace period.
    """
    file = write_config(tmp_path, config(upstream.url, workers=count, grace="600s"))
    upstream.handler = pieces = Pieces()
    with launched(file, before=namespaced) as gateway:
        gateway.wait(lambda: len(gateway.addresses) == 2, "listener")
        (first,) = children(gateway.process.pid)
        with Wire(gateway.public) as wire:
            wire.get()
            assert wire.head().status == 200
            os.kill(first, signal.SIGTERM)
            wait_until(lambda: refuses(gateway.public), "new connections to be refused")
            os.kill(first, signal.SIGTERM)
            assert gateway.process.wait(PATIENCE) == 128 + signal.SIGTERM
    pieces.send(b"")


def test_the_first_process_of_a_container_ends_while_it_loads_its_code(
    upstream: Upstream, tmp_path: Path, namespaced: list[str]
) -> None:
    """What was sent before there was a handler had no effect at all, and containers were killed ten
    seconds later.
    """
    file = write_config(tmp_path, config(upstream.url))
    command = [*namespaced, sys.executable, "-X", "importtime", "-m", "sentinel_host", "run", "--config", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        # The module that says how to end, and one that is loaded after it.
        for line in process.stderr:
            if "sentinel_host.supervisor.signals" in line:
                process.stderr.readline()
                break
        (first,) = children(process.pid)
        os.kill(first, signal.SIGTERM)
        assert "public on" not in process.stderr.read()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


@pytest.mark.parametrize(("count", "is_first"), [(1, True), (2, False)])
def test_a_start_that_takes_long_can_be_ended(
    upstream: Upstream, tmp_path: Path, count: int, is_first: bool, request: pytest.FixtureRequest
) -> None:
    """SIGTERM was noticed once every guest was compiled. Here that never ends: what compiles is
    stopped.
    """
    before = request.getfixturevalue("namespaced") if is_first else []
    text = config(upstream.url, workers=count, routes='chain = ["costly"]', more='lame_duck = "600s"')
    file = write_config(tmp_path, text, {"costly": costly()})
    compiling: list[int] = []

    def compiles() -> bool:
        fork_servers = children(pid)
        compiling[:] = [child for fork_server in fork_servers for child in children(fork_server)]
        return bool(compiling)

    with launched(file, environment={"XDG_CACHE_HOME": str(tmp_path / "cache")}, before=before) as gateway:
        if is_first:
            wait_until(lambda: bool(children(gateway.process.pid)), "the first process")
        pid = children(gateway.process.pid)[0] if is_first else gateway.process.pid
        wait_until(compiles, "a compilation")
        os.kill(compiling[0], signal.SIGSTOP)
        os.kill(pid, signal.SIGTERM)
        assert gateway.process.wait(PATIENCE) == 0
        wait_until(lambda: not exists(compiling[0]), "the end of what compiles")
    assert not any("Traceback" in line for line in gateway.log), "".join(gateway.log)


def not_ready(address: tuple[str, int]) -> bool:
    return fetch(address, "/readyz").status == 503


@pytest.mark.parametrize("count", [1, 2])
def test_a_lame_duck_serves_on_and_is_not_ready_until_a_second_signal(
    upstream: Upstream, start: Start, count: int
) -> None:
    """Whoever sends requests to this gateway has time to find others before its port is closed."""
    gateway = start(config(upstream.url, workers=count, more='lame_duck = "600s"'))
    with Load(gateway.public, asks_again=True) as load:
        load.wait_for(20)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not_ready(gateway.admin), "the admin side to say so")
        assert fetch(gateway.admin, "/readyz").body == b"the gateway is about to end\n"
        assert fetch(gateway.admin, "/healthz").status == 200
        load.wait_for(20)
    assert (load.lost, load.refused) == ([], [])
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(PATIENCE) == -signal.SIGTERM


@pytest.mark.parametrize("count", [1, 2])
def test_a_lame_duck_ends_in_time_and_loses_nothing(upstream: Upstream, start: Start, count: int) -> None:
    gateway = start(config(upstream.url, workers=count, grace="600s", more='lame_duck = "1s"'))
    with Load(gateway.public, asks_again=True) as load:
        load.wait_for(20)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: len(load.refused) > 3, "new connections to be refused")
    assert load.lost == []
    assert gateway.process.wait(PATIENCE) == 0


def test_workers_that_are_replaced_are_no_lame_ducks(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url, workers=2, more='lame_duck = "600s"'))
    before = workers(gateway)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for_log("every worker serves the new configuration")
    wait_until(lambda: not any(exists(pid) for pid in before.values()), "the old workers' end")
    assert fetch(gateway.admin, "/readyz").status == 200
    gateway.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not_ready(gateway.admin), "the admin side to say so")
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(PATIENCE) == -signal.SIGTERM
