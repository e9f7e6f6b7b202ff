"""Active checks of a gateway with several workers: asked once per machine, heeded by all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.support import config, exists, kill, starts, wait_until, workers
from tests.support.backends import Backend, running_backends
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess, sentinel_run, write_config

# Time enough for an answer on a busy machine.
CHECK = 'check = { path = "/healthz", interval = "1s", timeout = "1s", down = 3, up = 2 }\neject = false\n'


@pytest.fixture(scope="module")
def backends() -> Iterator[list[Backend]]:
    with running_backends(2) as running:
        yield running


@pytest.fixture(autouse=True)
def well(backends: list[Backend]) -> None:
    """Every test begins with endpoints that are well."""
    for backend in backends:
        backend.behave("ok")


def text(backends: list[Backend], count: int, check: str = CHECK) -> str:
    targets = ", ".join(f'"{backend.url}"' for backend in backends)
    written = config("TARGETS", workers=count).replace('["TARGETS"]', f"[{targets}]\n{check}")
    # Their file is looked at, so that a change of it counts without SIGHUP.
    return written.replace("watch = false", "watch = true")


@pytest.fixture(scope="module", params=[1, 4])
def shared(
    request: pytest.FixtureRequest, backends: list[Backend], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """One for all tests: four workers take a while to start."""
    folder = tmp_path_factory.mktemp("checked")
    with sentinel_run(write_config(folder, text(backends, request.param))) as running:
        if request.param > 1:
            wait_until(lambda: starts(running) >= request.param, "every worker")
        yield running


@pytest.fixture
def gateway(shared: GatewayProcess, backends: list[Backend]) -> GatewayProcess:
    wait_until(lambda: all(state(shared, each, "serving") for each in backends), "both to be well")
    return shared


def state(gateway: GatewayProcess, backend: Backend, word: str) -> bool:
    labels = f'state="{word}",target="{backend.url}",upstream="origin"'
    return gateway.metric(f"sentinel_endpoint_state{{{labels}}}") == 1


def answers(gateway: GatewayProcess, times: int) -> set[bytes]:
    """What so many clients get, one after the other, on connections of their own."""
    return {fetch(gateway.public).body for _ in range(times)}


def test_an_endpoint_that_is_down_gets_nothing_from_any_worker_until_it_is_well(
    gateway: GatewayProcess, backends: list[Backend]
) -> None:
    first, _ = backends
    changes = f'sentinel_endpoint_check_changes_total{{target="{first.url}",upstream="origin"}}'
    changed = gateway.metric(changes)
    assert answers(gateway, 20) == {b"a\n", b"b\n"}
    first.behave("status", 500)
    wait_until(lambda: state(gateway, first, "down"), "its check to fail")
    before = first.count()
    assert answers(gateway, 40) == {b"b\n"}
    assert first.count() == before
    first.behave("ok")
    wait_until(lambda: state(gateway, first, "serving"), "its check to pass")
    assert answers(gateway, 40) == {b"a\n", b"b\n"}
    assert gateway.metric(changes) == changed + 2


def test_the_first_of_all_that_recovers_is_used(gateway: GatewayProcess, backends: list[Backend]) -> None:
    _, second = backends
    for backend in backends:
        backend.behave("status", 503)
    wait_until(lambda: all(state(gateway, each, "down") for each in backends), "both to be down")
    refused = fetch(gateway.public)
    assert (refused.status, refused.header("retry-after")) == (503, "1")
    second.behave("ok")
    checks = second.count("/healthz")

    def is_used() -> bool:
        begun = second.count("/healthz") - checks
        status = fetch(gateway.public).status
        # Where the second has begun, the first has told.
        assert status == 200 or begun < 2
        return status == 200

    wait_until(is_used, "an answer of the second")
    assert answers(gateway, 20) == {b"b\n"}


def test_one_process_of_a_machine_checks(gateway: GatewayProcess, backends: list[Backend]) -> None:
    """Checks of one process come over one connection that is kept; four workers would have four."""
    first, _ = backends
    checks = first.count("/healthz")
    wait_until(lambda: first.count("/healthz") >= checks + 4, "checks")
    # One that a test before has replaced may still be closing.
    wait_until(lambda: first.connections("/healthz") == 1, "one connection")


def test_checks_follow_the_configuration(gateway: GatewayProcess, backends: list[Backend]) -> None:
    first, _ = backends
    count = len(workers(gateway)) or 1
    first.behave("status", 500)
    wait_until(lambda: state(gateway, first, "down"), "its check to fail")
    # Nobody checks it any more: it is not known to be down.
    write_config(gateway.folder, text(backends, count, check="eject = false\n"))
    gateway.wait_for_log("was reloaded, and serves")
    wait_until(lambda: state(gateway, first, "serving"), "it to be used again")
    checks = first.count("/healthz")
    assert answers(gateway, 20) == {b"a\n", b"b\n"}
    assert first.count("/healthz") == checks
    write_config(gateway.folder, text(backends, count))
    wait_until(lambda: state(gateway, first, "down"), "its check to fail")
    assert answers(gateway, 20) == {b"b\n"}


def test_checks_go_on_while_workers_are_replaced(backends: list[Backend], tmp_path: Path) -> None:
    first, _ = backends

    def have_started(gateway: GatewayProcess, count: int) -> bool:
        assert answers(gateway, 1) == {b"b\n"}
        return starts(gateway) >= count

    with sentinel_run(write_config(tmp_path, text(backends, 2))) as gateway:
        wait_until(lambda: starts(gateway) >= 2, "every worker")
        first.behave("status", 500)
        wait_until(lambda: state(gateway, first, "down"), "its check to fail")
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: have_started(gateway, 4), "both new workers")
        pid = workers(gateway)[0]
        kill(pid)
        wait_until(lambda: not exists(pid), "its end")
        wait_until(lambda: have_started(gateway, 5), "another worker")
        assert state(gateway, first, "down")
        checks = first.count("/healthz")
        wait_until(lambda: first.count("/healthz") > checks, "more checks")
