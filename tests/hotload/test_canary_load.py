"""Canaries under load: nothing is lost when they come and go, and both hooks of a request meet the same version."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.hotload.releases import TOKEN
from tests.hotload.versions import (
    VersionLoad,
    config,
    echo_version,
    put,
    running,
    serving,
    versioned,
    wait_for_version,
)
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Upstream, running_upstream

CANARY = 'sentinel_guest_canary{guest="g"}'


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An upstream that tells which version asked it."""
    with running_upstream() as running:
        running.handler = echo_version
        yield running


@pytest.mark.parametrize("workers", [1, 2])
def test_canaries_come_and_go_under_load(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    text = config(upstream, workers=workers, more="[guest.g]\ncanary = { weight = 40 }\n")
    text = text.replace("[server]", f'[server]\nadmin_token = "{TOKEN}"')
    versions = [versioned(number) for number in range(4)]
    with running(tmp_path, text, {"g": versions[0]}) as gateway, VersionLoad(gateway) as load:
        for number in range(1, 9):
            put(gateway, versions[number % 4])
            gateway.wait_for_metric(CANARY, workers, 60)
            load.wait_for(60)
            if number % 4 == 3:
                assert command(gateway, "rollback") == 0
                gateway.wait_for_metric(CANARY, 0, 60)
            else:
                assert command(gateway, "promote") == 0
                wait_for_version(gateway, versions[number % 4], workers)
            load.wait_for(20)
        assert serving(gateway) == {"0"}
    assert load.failed == []
    assert set(load.answers) == {"0", "1", "2", "3"}


def command(gateway: GatewayProcess, action: str) -> int:
    """Decide about the guest."""
    host, port = gateway.admin
    return main([action, "g", "--config", os.fspath(gateway.folder / "sentinel.toml"), "--admin", f"{host}:{port}"])
