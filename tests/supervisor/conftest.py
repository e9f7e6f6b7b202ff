"""Gateways with several workers, in front of an upstream that says hello."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

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
    """Starts a gateway from a configuration's text and its guests."""
    with ExitStack() as stack:

        def begin(text: str, guests: Mapping[str, Path | bytes] | None = None) -> GatewayProcess:
            return stack.enter_context(sentinel_run(write_config(tmp_path, text, guests)))

        yield begin
