"""Canaries under load: nothing is lost when they come and go, and both hooks of a request meet the
same version.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hotload.failing import TOKEN
from tests.hotload.operating import command
from tests.hotload.versions import VersionLoad, config, put, running, serving, versioned, wait_for_version
from tests.support.upstreams import Upstream

CANARY = 'sentinel_guest_canary{guest="g"}'


@pytest.mark.parametrize("workers", [1, 2])
def test_canaries_come_and_go_under_load(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    text = config(upstream, workers=workers, more="[guest.g]\ncanary = { weight = 40 }\n")
    text = text.replace("[server]", f'[server]\nadmin_token = "{TOKEN}"')
    versions = [versioned(number) for number in range(4)]
    with running(tmp_path, text, {"g": versions[0]}) as gateway, VersionLoad(gateway) as load:
        for number in range(1, 9):
            put(gateway, versions[number % 4])
            gateway.wait_for_metric(CANARY, workers)
            load.wait_for(60)
            if number % 4 == 3:
                assert command(gateway, "rollback", "g") == 0
                gateway.wait_for_metric(CANARY, 0)
            else:
                assert command(gateway, "promote", "g") == 0
                wait_for_version(gateway, versions[number % 4], workers)
            load.wait_for(20)
        assert serving(gateway) == {"0"}
    assert load.failed == []
    assert set(load.answers) == {"0", "1", "2", "3"}
