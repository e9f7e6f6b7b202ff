"""Gateways with a route for each kind of upgrade, under our own server and a stock Hypercorn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.configurations import GUARDED, GUARDED_GUESTS
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, stock_hypercorn, write_config
from tests.support.upstreams import Upstream

SERVERS = {"sentinel": sentinel_run, "hypercorn": stock_hypercorn}
CONFIG = (
    """
[server]
bind = ["127.0.0.1:0"]
"""
    + GUARDED
    + """
[[route]]
path = "/closed"
upstream = "origin"
upgrades = []

[[route]]
path = "/other"
upstream = "origin"
upgrades = ["thing"]
"""
)
GUESTS = GUARDED_GUESTS


@pytest.fixture(scope="module", params=sorted(SERVERS))
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    config = write_config(folder, CONFIG.replace("UPSTREAM", shared_upstream.url), GUESTS)
    with SERVERS[request.param](config) as running:
        yield running


only_sentinel = pytest.mark.parametrize("gateway", ["sentinel"], indirect=True)
