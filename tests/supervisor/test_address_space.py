"""Gateways whose address space is limited, as ``ulimit -v`` and ``LimitAS=`` do."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hotload.versions import config, echo_version, put, running, versioned, wait_for_version
from tests.support.clients import fetch
from tests.support.upstreams import running_upstream

GIB = 1 << 30


@contextlib.contextmanager
def limited(more: int) -> Iterator[None]:
    """What is started meanwhile may have that many bytes of addresses more than this process
    has.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("workers", [1, 2])
def test_several_guests_run_and_are_swapped_in_a_limited_address_space(tmp_path: Path, workers: int) -> None:
    """A second guest once failed under ``ulimit -v``, as each reserved 4 GiB."""
    names = ("g", "h", "i", "j", "k")
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(running_upstream())
        upstream.handler = echo_version
        text = config(upstream, workers=workers, chain=", ".join(f'"{name}"' for name in names))
        with limited(GIB):
            gateway = stack.enter_context(running(tmp_path, text, {name: versioned(1) for name in names}))
        assert fetch(gateway.public).header("x-answered") == "1"
        put(gateway, versioned(2))
        wait_for_version(gateway, versioned(2), workers)
        # The first of the chain sees the response last.
        assert fetch(gateway.public).header("x-answered") == "2"
        assert not any("address" in line for line in gateway.log if line.startswith("{"))
