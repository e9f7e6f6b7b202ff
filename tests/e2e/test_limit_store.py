"""Two gateways on one store: the limits of both together, also while the store is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.limiter.store.conftest import server as server
from tests.limiter.store.servers import Server
from tests.support.clients import fetch
from tests.support.clocks import wait_until
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
limit_store = "{store}"

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/"
upstream = "origin"
limit = {{ requests = 20, window = "10m", consistency = "{consistency}" }}
"""


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, upstream: Upstream, server: Server
) -> Iterator[list[GatewayProcess]]:
    """Two gateways, as on two machines."""
    text = CONFIG.format(store=server.url, upstream=upstream.url, consistency=request.param)
    with ExitStack() as stack:
        configs = [write_config(tmp_path / name, text) for name in ("one", "two")]
        yield [stack.enter_context(sentinel_run(config)) for config in configs]


def alternate(pair: list[GatewayProcess], requests: int) -> list[int]:
    return [fetch(pair[number % 2].public).status for number in range(requests)]


@pytest.mark.parametrize("pair", ["strict"], indirect=True)
def test_strict_limits_are_exact(pair: list[GatewayProcess]) -> None:
    statuses = alternate(pair, 40)
    away = any("the limit store is away" in line for gateway in pair for line in gateway.log)
    # Where the store did not answer in time each machine went on by itself, as it should.
    assert statuses == [200] * 20 + [429] * 20 or (away and 20 <= statuses.count(200) <= 40)


@pytest.mark.parametrize("pair", ["local"], indirect=True)
def test_local_limits_learn_of_each_other(pair: list[GatewayProcess], server: Server) -> None:
    """One gateway uses the limit up. The other refuses once it has exchanged, and was never asked
    to wait.
    """
    assert [fetch(pair[0].public).status for _ in range(25)] == [200] * 20 + [429] * 5
    wait_until(lambda: server.counted() == 20, "the first gateway's count")
    allowed = 0
    while fetch(pair[1].public).status == 200:
        allowed += 1
        wait_until(lambda told=20 + allowed: server.counted() == told, "the second gateway's count")
    # It has read the answer to one exchange before it begins the next.
    assert allowed <= 2


@pytest.mark.parametrize("away", ["stopped", "demoted"])
@pytest.mark.parametrize("pair", ["local", "strict"], indirect=True)
def test_without_the_store_each_machine_goes_on_by_itself(
    pair: list[GatewayProcess], server: Server, away: str
) -> None:
    """Whether it is gone, or answers READONLY."""
    if away == "stopped":
        server.stop()
    else:
        server.ask("REPLICAOF", "127.0.0.1", "1")
    assert [fetch(pair[0].public).status for _ in range(25)] == [200] * 20 + [429] * 5
    pair[0].wait_for_log("the limit store is away")
    if away == "stopped":
        server.start()
    else:
        server.ask("REPLICAOF", "NO", "ONE")
    while "the limit store answers" not in "".join(pair[0].log):
        assert fetch(pair[0].public).status in (200, 429)
