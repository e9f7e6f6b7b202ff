"""Gateways whose address space is limited, as ``ulimit -v`` and ``LimitAS=`` do."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.hotload.versions import config, echo_version, put, versioned, wait_for_version
from tests.supervisor.support import launched, starts
from tests.supervisor.support import workers as serving
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import write_config
from tests.support.upstreams import running_upstream

LIMIT = 2 << 30
# A forked gateway would have the limits of its fork server instead.
WITH_LIMIT = ("sh", "-c", f'ulimit -v {LIMIT >> 10} && exec "$@"', "sh")


@pytest.mark.parametrize("workers", [1, 2])
def test_several_guests_run_and_are_swapped_in_a_limited_address_space(tmp_path: Path, workers: int) -> None:
    """A second guest once failed under ``ulimit -v``, as each reserved 4 GiB."""
    names = ("g", "h", "i", "j", "k")
    with running_upstream() as upstream:
        upstream.handler = echo_version
        text = config(upstream, workers=workers, chain=", ".join(f'"{name}"' for name in names))
        file = write_config(tmp_path, text, {name: versioned(1) for name in names})
        with launched(file, before=WITH_LIMIT) as gateway:
            most = workers if workers > 1 else 0
            gateway.wait(lambda: len(gateway.addresses) == 2 and starts(gateway) == most, "every worker", PATIENCE)
            for pid in (gateway.process.pid, *serving(gateway).values()):
                assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == LIMIT
            assert fetch(gateway.public).header("x-answered") == "1"
            put(gateway, versioned(2))
            wait_for_version(gateway, versioned(2), workers)
            # The first of the chain sees the response last.
            assert fetch(gateway.public).header("x-answered") == "2"
    assert not any("address" in line for line in gateway.log if line.startswith("{"))
