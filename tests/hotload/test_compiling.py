"""Compilation and its cache, seen from a gateway."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hotload.versions import VersionLoad, config, put, running, serving, versioned, wait_for_version
from tests.supervisor.support import children, wait_until
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.modules import costly
from tests.support.upstreams import Upstream
from tests.wat import index


@pytest.mark.parametrize("workers", [1, 2])
def test_a_module_that_takes_minutes_to_compile_delays_no_other(
    upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    """The child is stopped; requests go on, and so do other guests' files."""
    text = config(upstream, workers=workers, guests='compile_time = "1s"', chain='"g", "h"')
    with (
        running(tmp_path, text, {"g": versioned(1), "h": index.wasm("good/nil")}) as gateway,
        VersionLoad(gateway, clients=2) as load,
    ):
        load.wait_for(50)
        put(gateway, costly(), "h")
        # A second file, of another guest, overtakes it.
        pid = gateway.process.pid
        wait_until(lambda: any(children(child) for child in children(pid)), "the child that compiles")
        put(gateway, versioned(2))
        wait_for_version(gateway, versioned(2), workers)
        assert not any("h was not replaced" in line for line in gateway.log)
        line = gateway.wait_for_log("guest h was not replaced", 5 * PATIENCE)
        assert "guests/h.wasm: compiling it failed: it took more than 1 s of running time" in line
        load.wait_for(50)
    assert load.failed == []


def test_children_are_gone_with_the_gateway(upstream: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, config(upstream), {"g": versioned(1)}) as gateway:
        put(gateway, costly())
        wait_until(lambda: bool(children(gateway.process.pid)), "the child that compiles")
        before = children(gateway.process.pid)
        gateway.stop(30)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before), "the children's end")


def test_a_start_with_what_is_in_the_cache_compiles_nothing(upstream: Upstream, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    text = config(upstream, guests='cache = "cache"')
    with running(tmp_path, text, {"g": versioned(1)}) as gateway:
        assert serving(gateway) == {"1"}
    (entry,) = cache.glob("*.guest")
    assert cache.stat().st_mode & 0o777 == 0o700
    made = entry.stat().st_ino
    with running(tmp_path, text, {}) as gateway:
        assert serving(gateway) == {"1"}
    assert entry.stat().st_ino == made


def test_a_cache_that_was_tampered_with_is_not_run(upstream: Upstream, tmp_path: Path) -> None:
    """What is in the cache is machine code: it is checked, and made anew."""
    text = config(upstream, guests='cache = "cache"')
    with running(tmp_path, text, {"g": versioned(1)}):
        pass
    (entry,) = (tmp_path / "cache").glob("*.guest")
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.write_bytes(data)
    with running(tmp_path, text, {}) as gateway:
        assert serving(gateway) == {"1"}
        gateway.wait_for_log("is corrupted; it is made anew")
    assert entry.read_bytes() != data


def test_without_a_cache_guests_are_compiled_and_it_is_said(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o755)
    os.chmod(tmp_path / "cache", 0o755)
    text = config(upstream, workers=1, guests='cache = "cache"')
    with running(tmp_path, text, {"g": versioned(1)}) as gateway:
        gateway.wait_for_log("is not a directory of this user alone")
        put(gateway, versioned(2))
        wait_for_version(gateway, versioned(2), 1)
        assert serving(gateway) == {"2"}
    assert list((tmp_path / "cache").glob("*.guest")) == []


def test_a_guest_is_never_loaded_compiled_from_the_folder(upstream: Upstream, tmp_path: Path) -> None:
    text = config(upstream, guests='cache = "cache"')
    with running(tmp_path, text, {"g": versioned(1)}) as gateway:
        (entry,) = (tmp_path / "cache").glob("*.guest")
        put(gateway, entry.read_bytes())
        assert "is not WebAssembly" in gateway.wait_for_log("was not replaced")
        assert fetch(gateway.public).status == 200


def test_machine_code_is_bounded(upstream: Upstream, tmp_path: Path) -> None:
    text = config(upstream, guests='code_memory = "1KiB"')
    with running(tmp_path, text, {"g": versioned(1)}) as gateway:
        line = gateway.wait_for_log("guests.code_memory allows 1024")
        assert "guests/g.wasm: with it the guests' machine code would be " in line
        assert fetch(gateway.public).status == 503
