"""Gateways whose one guest has versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.supervisor.support import starts, wait_until
from tests.support.gateways import GatewayProcess, sentinel_run, write_config

Start = Callable[[str, bytes | None], GatewayProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway from a configuration's text and the first version of its guest ``versioned``.

    One that has been stopped can be started again in the same folder; with None its files are left as they are.
    """
    with ExitStack() as stack:

        def begin(text: str, data: bytes | None) -> GatewayProcess:
            guests = {"versioned": data} if data is not None else None
            gateway = stack.enter_context(sentinel_run(write_config(tmp_path, text, guests)))
            if "workers = 2" in text:
                # Listeners are announced on one pipe, workers on another: their lines may be read in any order.
                wait_until(lambda: starts(gateway) >= 2, "every worker's line")
            return gateway

        yield begin
