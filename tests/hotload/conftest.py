"""Gateways whose one guest has versions, and upstreams that tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hotload.versions import echo_version, running
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Upstream, running_upstream

Start = Callable[[str, bytes | None], GatewayProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway from a configuration's text and the first version of its guest
    ``versioned``.

    One that has been stopped can be started again in the same folder; with None its files are left
    as they are.
    """
    with ExitStack() as stack:

        def begin(text: str, data: bytes | None) -> GatewayProcess:
            guests = {"versioned": data} if data is not None else None
            return stack.enter_context(running(tmp_path, text, guests))

        yield begin


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An upstream that tells which version asked it."""
    with running_upstream() as echoing:
        echoing.handler = echo_version
        yield echoing
