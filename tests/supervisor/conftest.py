"""Gateways with several workers, in front of an upstream that says hello."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.supervisor.support import starts, wait_until
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, running_upstream

Start = Callable[..., GatewayProcess]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An upstream that says hello unless told otherwise."""
    with running_upstream() as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway from a configuration's text and its guests, which forks its workers, or
    executes them.
    """
    with ExitStack() as stack:

        def begin(text: str, guests: Mapping[str, Path | bytes] | None = None, *, forks: bool = True) -> GatewayProcess:
            gateway = stack.enter_context(sentinel_run(write_config(tmp_path, text, guests), forks=forks))
            count = tomllib.loads(text)["server"].get("workers", 1)
            if count > 1:
                # Listeners are announced on one pipe, workers on another: their lines may be read
                # in any order.
                wait_until(lambda: starts(gateway) >= count, "every worker's line")
            return gateway

        yield begin
