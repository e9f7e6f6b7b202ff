"""New versions of guests under load: nothing is lost, nothing is mixed, nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hotload.versions import VersionLoad, config, put, refusals, running, serving, versioned, wait_for_version
from tests.supervisor.support import Pieces, wait_until
from tests.support.clients import Wire, fetch
from tests.support.modules import with_custom
from tests.support.upstreams import Upstream
from tests.wat import index


@pytest.mark.parametrize("workers", [1, 2])
def test_swaps_under_load_fail_no_request_and_mix_no_versions(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """`bench -- swap` does it a hundred times in a minute."""
    versions = [versioned(number) for number in range(4)]
    with (
        running(tmp_path, config(upstream, workers=workers), {"g": versions[0]}) as gateway,
        VersionLoad(gateway) as load,
    ):
        for number in range(1, 25):
            load.wait_for(10)
            put(gateway, versions[number % 4])
            wait_for_version(gateway, versions[number % 4], workers)
        load.wait_for(10)
        assert serving(gateway) == {"0"}
    assert load.failed == []
    assert set(load.answers) == {"0", "1", "2", "3"}
    # And the old versions' requests were answered before their generations went.
    assert not any("error" in line for line in gateway.log if line.startswith("{"))


BROKEN = {
    "empty": b"",
    "no-wasm": b"#!/bin/sh\n",
    "half": versioned(1)[: len(versioned(1)) // 2],
    "flipped": bytes(byte ^ (at == 60) * 0xFF for at, byte in enumerate(versioned(1))),
    "wasi": index.wasm("refused/import_wasi"),
    "start-traps": index.wasm("hostile/start_traps"),
    "start-loops": index.wasm("hostile/start_loops"),
    "memory": index.wasm("hostile/memory_4gib"),
    "configure-loops": index.wasm("hostile/configure_loops"),
    "no-hook": b"\0asm\x01\0\0\0",
}


def test_swaps_to_broken_versions_change_nothing(upstream: Upstream, tmp_path: Path) -> None:
    """Each is refused with a reason, and the version before serves on."""
    good = versioned(7)
    with running(tmp_path, config(upstream, workers=2), {"g": good}) as gateway, VersionLoad(gateway) as load:
        for round in range(5):
            for data in BROKEN.values():
                before = refusals(gateway)
                # Every one another file, as if its author had tried again.
                put(gateway, with_custom(data, b"%d" % round) if data.startswith(b"\0asm") else data + b" " * round)
                gateway.wait(lambda before=before: refusals(gateway) > before, "a refusal")
        load.wait_for(20)
        assert serving(gateway) == {"7"}
        assert fetch(gateway.admin, "/readyz").status == 200
        lines = [line for line in gateway.log if "was not replaced" in line]
        assert len(lines) == 5 * len(BROKEN)
        assert all("guests/g.wasm: " in line for line in lines)
        # A good one after fifty bad ones is as welcome as ever.
        put(gateway, versioned(8))
        wait_for_version(gateway, versioned(8), 2)
        assert serving(gateway) == {"8"}
    assert load.failed == []
    assert set(load.answers) <= {"7", "8"}


def test_many_swaps_leave_nothing_behind(upstream: Upstream, tmp_path: Path) -> None:
    """A fifth of it; `bench -- swap` does all thousand."""
    versions = [versioned(number) for number in range(2)]
    with running(tmp_path, config(upstream), {"g": versions[0]}) as gateway:

        def swap(times: int) -> int:
            for number in range(1, times + 1):
                put(gateway, versions[number % 2])
                wait_for_version(gateway, versions[number % 2])
                fetch(gateway.public)
            return gateway.memory()

        before, descriptors = swap(60), gateway.descriptors()
        after = swap(200)
        assert after < before * 1.05, f"{before} bytes became {after}"
        wait_until(lambda: gateway.descriptors() <= descriptors + 2, "the descriptors to be closed")
        assert gateway.metric('sentinel_guest_instances{guest="g"}') == 1


def test_a_request_ends_with_the_version_it_began_with(upstream: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, config(upstream), {"g": versioned(1)}) as gateway:
        pieces = Pieces()
        upstream.handler = pieces
        with Wire(gateway.public) as wire:
            wire.get()
            # The upstream has the request: it was asked by the first version.
            wait_until(lambda: bool(upstream.requests), "the request")
            put(gateway, versioned(2))
            wait_for_version(gateway, versioned(2))
            # Both are there for as long as the request lasts.
            gateway.wait_for_metric('sentinel_guest_instances{guest="g"}', 2)
            pieces.send(b"piece")
            head = wire.head()
            assert (upstream.requests[0].values("x-asked"), head.header("x-answered")) == (["1"], "1")
            assert wire.chunk() == b"piece"
            pieces.send(b"")
            assert wire.chunk() == b""
        gateway.wait_for_metric('sentinel_guest_instances{guest="g"}', 1)


def test_connections_outlive_swaps_on_both_sides(upstream: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, config(upstream), {"g": versioned(0)}) as gateway, Wire(gateway.public) as wire:
        for number in range(6):
            if number:
                put(gateway, versioned(number))
                wait_for_version(gateway, versioned(number))
            wire.get()
            assert wire.answer().body == b"%d" % number
        assert upstream.connections == 1
        assert gateway.metric("sentinel_connections_accepted_total") > 0


def test_a_guest_that_did_not_change_keeps_its_instances(upstream: Upstream, tmp_path: Path) -> None:
    chain = '"g", "other"'
    guests = {"g": versioned(0), "other": index.wasm("good/counter")}
    with running(tmp_path, config(upstream, chain=chain), guests) as gateway:
        for number in range(1, 4):
            put(gateway, versioned(number))
            wait_for_version(gateway, versioned(number))
            assert fetch(gateway.public).status == 200
        assert gateway.metric('sentinel_guest_instances_started_total{guest="other"}') == 1
        assert gateway.metric('sentinel_guest_swaps_total{guest="other"}') == 0
        assert gateway.metric('sentinel_guest_swaps_total{guest="g"}') == 3


def test_the_same_file_again_is_no_swap(upstream: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, config(upstream), {"g": versioned(0)}) as gateway:
        put(gateway, b"nonsense")
        gateway.wait_for_log("was not replaced")
        put(gateway, versioned(0))
        # Something that is seen after it: the folder is looked at in order.
        put(gateway, versioned(1))
        wait_for_version(gateway, versioned(1))
        assert gateway.metric('sentinel_guest_swaps_total{guest="g"}') == 1
        assert gateway.metric('sentinel_guest_failed_loads_total{guest="g"}') == 1
