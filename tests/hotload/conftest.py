"""Gateways whose one guest has versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.supervisor.support import starts, wait_until
from tests.support.gateways import GatewayProcess, sentinel_run, write_config

Start = Callable[[str, bytes], GatewayProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway from a configuration's text and the first version of its guest ``versioned``."""
    with ExitStack() as stack:

        def begin(text: str, data: bytes) -> GatewayProcess:
            gateway = stack.enter_context(sentinel_run(write_config(tmp_path, text, {"versioned": data})))
            if "workers = 2" in text:
                # Listeners are announced on one pipe, workers on another: their lines may be read in any order.
                wait_until(lambda: starts(gateway) >= 2, "every worker's line")
            return gateway

        yield begin
