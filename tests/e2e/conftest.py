"""Gateways for end-to-end tests: each functional test runs on our own server and on a stock
Hypercorn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.clocks import wait_until
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, stock_hypercorn, write_config
from tests.support.pipes import pipes
from tests.support.upstreams import Upstream, running_upstream

StartGateway = Callable[..., GatewayProcess]
SERVERS = {"sentinel": sentinel_run, "hypercorn": stock_hypercorn}

# For what only our own server can do.
only_sentinel = pytest.mark.parametrize("shared_gateway", ["sentinel"], indirect=True)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An upstream that says hello unless told otherwise."""
    with running_upstream() as running:
        yield running


@pytest.fixture(params=sorted(SERVERS))
def start_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartGateway]:
    """Starts a gateway from a configuration's text and its guests, on either server."""
    with ExitStack() as stack:

        def start(config: str, guests: Mapping[str, Path | bytes] | None = None) -> GatewayProcess:
            return stack.enter_context(SERVERS[request.param](write_config(tmp_path, config, guests)))

        yield start


@pytest.fixture
def start_sentinel(tmp_path: Path) -> Iterator[StartGateway]:
    """Starts a gateway under ``sentinel run``."""
    with ExitStack() as stack:

        def start(config: str, guests: Mapping[str, Path | bytes] | None = None) -> GatewayProcess:
            return stack.enter_context(sentinel_run(write_config(tmp_path, config, guests)))

        yield start


@pytest.fixture(scope="module", params=sorted(SERVERS))
def shared_gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    """One gateway for all tests of a module, on either server, from the module's ``CONFIG`` and
    ``GUESTS``.
    """
    folder = tmp_path_factory.mktemp("gateway")
    config = request.module.CONFIG.replace("UPSTREAM", shared_upstream.url).replace("PORT", str(shared_upstream.port))
    with SERVERS[request.param](write_config(folder, config, getattr(request.module, "GUESTS", None))) as gateway:
        yield gateway


@pytest.fixture
def before(shared_gateway: GatewayProcess) -> Iterator[int]:
    """The pipes that there are without a body in one; after the test there are no more."""
    count = pipes(shared_gateway)
    yield count
    wait_until(lambda: pipes(shared_gateway) == count, "end of a relay")
