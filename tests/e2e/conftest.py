"""Gateways for end-to-end tests: each functional test runs on our own server and on a stock Hypercorn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gateways import GatewayProcess, sentinel_run, stock_hypercorn, write_config
from tests.support.upstreams import Upstream, running_upstream

StartGateway = Callable[..., GatewayProcess]
SERVERS = {"sentinel": sentinel_run, "hypercorn": stock_hypercorn}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An upstream that says hello unless told otherwise."""
    with running_upstream() as running:
        yield running


@pytest.fixture(params=sorted(SERVERS))
def start_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartGateway]:
    """Starts a gateway from a configuration's text and its guests, on either server."""
    with ExitStack() as stack:

        def start(config: str, guests: dict[str, Path] | None = None) -> GatewayProcess:
            return stack.enter_context(SERVERS[request.param](write_config(tmp_path, config, guests)))

        yield start


@pytest.fixture
def start_sentinel(tmp_path: Path) -> Iterator[StartGateway]:
    """Starts a gateway under ``sentinel run``."""
    with ExitStack() as stack:

        def start(config: str, guests: dict[str, Path] | None = None) -> GatewayProcess:
            return stack.enter_context(sentinel_run(write_config(tmp_path, config, guests)))

        yield start
