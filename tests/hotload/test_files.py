"""What can be found in a folder that anybody may write to, and how files come and go there."""

from __future__ import annotations

import json
import os
import shutil
from itertools import pairwise
from pathlib import Path

from tests.hotload.versions import VersionLoad, config, put, refusals, running, serving, versioned, wait_for_version
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.modules import sections_end, with_custom
from tests.support.upstreams import Upstream
from tests.wat import index


def test_only_whole_files_are_ever_loaded(upstream: Upstream, tmp_path: Path) -> None:
    """A file that is cut after a section can be a module; nobody may take it for the author's."""
    good = versioned(2)
    # Also one whose every prefix of sections that exports anything is a guest of its own.
    tail = with_custom(versioned(3), bytes(100_000))
    assert sections_end(tail)[-2] == len(versioned(3))
    with running(tmp_path, config(upstream), {"g": versioned(1)}) as gateway, VersionLoad(gateway) as load:
        for data, number in ((good, "2"), (tail, "3")):
            ends = [0, *sections_end(data)]
            with open(tmp_path / "guests" / "g.wasm", "wb", buffering=0) as file:
                for start, end in pairwise(ends):
                    file.write(data[start:end])
                    # Some time passes; `tests/unit/hotload/test_watch.py` has any, by a clock of
                    # its own.
                    load.wait_for(50)
                assert number not in serving(gateway)
            wait_for_version(gateway, data)
        load.wait_for(20)
        assert refusals(gateway) == 0
    assert load.failed == []
    assert set(load.answers) == {"1", "2", "3"}


def test_a_guest_that_is_deleted_serves_on_and_its_file_may_come_back(upstream: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, config(upstream), {"g": versioned(1)}) as gateway, VersionLoad(gateway) as load:
        (tmp_path / "guests" / "g.wasm").unlink()
        line = gateway.wait_for_log("was not replaced")
        assert "guests/g.wasm: no such file" in line
        load.wait_for(20)
        assert gateway.metric('sentinel_guest_failed_loads_total{guest="g"}') == 1
        assert fetch(gateway.admin, "/readyz").status == 200
        (tmp_path / "guests" / "g.wasm").write_bytes(versioned(2))
        wait_for_version(gateway, versioned(2))
    assert load.failed == []


def test_a_guest_that_is_missing_at_the_start_goes_live_when_its_file_comes(upstream: Upstream, tmp_path: Path) -> None:
    more = """
[[route]]
name = "free"
path = "/free"
upstream = "origin"

[[route]]
name = "open"
path = "/open"
upstream = "origin"
chain = ["g"]
"""
    with running(tmp_path, config(upstream, more=more), {}) as gateway:
        assert fetch(gateway.public).status == 503
        assert fetch(gateway.public, "/free").status == 200
        assert upstream.requests[-1].target == "/free"
        assert b"guest g is not in service" in fetch(gateway.admin, "/readyz").body
        # One that is broken does not help, and its reason is told.
        put(gateway, b"nonsense")
        gateway.wait_for_log("is not WebAssembly")
        assert b"is not WebAssembly" in fetch(gateway.admin, "/readyz").body
        assert fetch(gateway.public).status == 503
        put(gateway, versioned(5))
        wait_for_version(gateway, versioned(5))
        assert serving(gateway) == {"5"}
        assert fetch(gateway.admin, "/readyz").status == 200


def test_the_reason_is_that_of_the_file_that_came_last(upstream: Upstream, tmp_path: Path) -> None:
    """A file that came without its grant once left requests saying "no such file" for ever."""
    with running(tmp_path, config(upstream, workers=2), {}) as gateway:
        assert fetch(gateway.public).status == 503
        refused = ("guests/g.wasm: no such file", "(request ")
        gateway.wait(lambda: any(all(part in line for part in refused) for line in gateway.log), "refusal")
        for name, reason in (
            ("granted/clock", 'which needs the grant "clock"'),
            ("hostile/start_traps", "start: wasm `unreachable` instruction executed"),
        ):
            put(gateway, index.wasm(name))
            wait_until(lambda reason=reason: reason.encode() in fetch(gateway.admin, "/readyz").body, reason)
            before = len(gateway.log)

            def refusals(before: int = before) -> list[str]:
                return [json.loads(line)["message"] for line in gateway.log[before:] if "not loaded: " in line]

            for _ in range(8):
                assert fetch(gateway.public).status == 503
            gateway.wait(lambda refusals=refusals: len(refusals()) >= 8, "eight refusals")
            messages = refusals()
            assert len(messages) == 8
            assert all(reason in message for message in messages)


def test_a_folder_that_is_replaced_or_comes_late(upstream: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, config(upstream), {"g": versioned(1)}) as gateway, VersionLoad(gateway) as load:
        (tmp_path / "guests").rename(tmp_path / "before")
        gateway.wait_for_log("no such file")
        load.wait_for(20)
        (tmp_path / "fresh").mkdir()
        (tmp_path / "fresh" / "g.wasm").write_bytes(versioned(2))
        (tmp_path / "fresh").rename(tmp_path / "guests")
        wait_for_version(gateway, versioned(2))
        put(gateway, versioned(3))
        wait_for_version(gateway, versioned(3))
        shutil.rmtree(tmp_path / "guests")
        load.wait_for(20)
        assert serving(gateway) == {"3"}
    assert load.failed == []


def test_a_foreign_file_is_not_read_and_does_not_block(upstream: Upstream, tmp_path: Path) -> None:
    """Links, pipes, devices, directories, a gigabyte."""
    path = tmp_path / "guests" / "g.wasm"
    secret = tmp_path / "secret.wasm"
    secret.write_bytes(versioned(66))
    with open(tmp_path / "huge", "wb") as huge:
        huge.truncate(1 << 30)
    made = {
        "is a link that leads out of the folder": lambda: path.symlink_to(secret),
        "has 2 names": lambda: os.link(secret, path),
        "is not a regular file": lambda: os.mkfifo(path),
        "cannot be read: is a link": lambda: path.symlink_to("/dev/zero"),
        "guests/g.wasm: is not a regular": path.mkdir,
        "is larger than 67108864 bytes": lambda: (tmp_path / "huge").rename(path),
    }
    with running(tmp_path, config(upstream), {"g": versioned(1)}) as gateway, VersionLoad(gateway) as load:
        for reason, make in made.items():
            before = refusals(gateway)
            path.unlink()
            make()
            gateway.wait(
                lambda reason=reason, before=before: any(
                    reason in line for line in [line for line in gateway.log if "was not replaced" in line][before:]
                ),
                reason,
                60,
            )
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
                path.write_bytes(b"to be removed")
        memory = gateway.memory()
        # The watcher lives.
        put(gateway, versioned(2))
        wait_for_version(gateway, versioned(2))
        assert gateway.memory() < memory + (64 << 20)
    assert load.failed == []
    assert set(load.answers) <= {"1", "2"}


def test_a_volume_of_kubernetes_is_taken_as_a_whole(upstream: Upstream, tmp_path: Path) -> None:
    chain = '"g", "h"'
    folder = tmp_path / "guests"
    folder.mkdir()
    for moment, number in (("..first", 1), ("..second", 2)):
        (folder / moment).mkdir()
        for name in ("g", "h"):
            (folder / moment / f"{name}.wasm").write_bytes(versioned(number))
    (folder / "..data").symlink_to("..first")
    for name in ("g", "h"):
        (folder / f"{name}.wasm").symlink_to(f"..data/{name}.wasm")
    with running(tmp_path, config(upstream, chain=chain), {}) as gateway, VersionLoad(gateway) as load:
        load.wait_for(20)
        (folder / "..data_tmp").symlink_to("..second")
        (folder / "..data_tmp").rename(folder / "..data")
        wait_for_version(gateway, versioned(2))
        load.wait_for(20)
    assert set(load.answers) >= {"1", "2"}
