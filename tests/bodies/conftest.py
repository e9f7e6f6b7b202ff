"""A gateway for each module: ``GUESTS`` are its guests, ``ROUTES`` its chains by path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream


@pytest.fixture(scope="module")
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    """One gateway for all tests of a module; guests whose names begin with ``open`` fail open.
    ``KEYS`` has more keys.

    Their deadlines are no test's matter, and guests that take their time would reach them on a busy
    machine.
    """
    module = request.module
    lines = ["[server]", 'bind = ["127.0.0.1:0"]', 'admin = "127.0.0.1:0"']
    for name in module.GUESTS:
        lines += [f"[guest.{name}]", 'deadline = "10s"']
        lines += ['on_failure = "open"'] if name.startswith("open") else []
        lines += getattr(module, "KEYS", {}).get(name, [])
    lines += ["[[upstream]]", 'name = "origin"', f'targets = ["{shared_upstream.url}"]']
    for path, chain in module.ROUTES.items():
        names = ", ".join(f'"{name}"' for name in chain)
        lines += ["[[route]]", f'path = "{path}"', 'upstream = "origin"', f"chain = [{names}]", 'trailers = ["x-sum"]']
    folder = tmp_path_factory.mktemp("gateway")
    with sentinel_run(write_config(folder, "\n".join(lines), module.GUESTS)) as running:
        yield running
