from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.control.support import GUESTS, config
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, running_upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One worker, which serves the admin side as well."""
    folder = tmp_path_factory.mktemp("gateway")
    with sentinel_run(write_config(folder, config(upstream.url), GUESTS)) as running:
        yield running
