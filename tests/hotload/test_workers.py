"""Several workers: one compilation for all, and whoever comes later serves the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.hotload.versions import VersionLoad, config, put, running, serving, versioned, wait_for_version
from tests.supervisor.support import starts, wait_until, workers
from tests.support.upstreams import Upstream


def test_a_worker_that_starts_later_serves_what_its_siblings_serve(upstream: Upstream, tmp_path: Path) -> None:
    """Its version may not even be in the folder any more."""
    with running(tmp_path, config(upstream, workers=2), {"g": versioned(1)}) as gateway:
        put(gateway, versioned(2))
        wait_for_version(gateway, versioned(2), 2)
        put(gateway, b"nonsense")
        gateway.wait_for_log("was not replaced")
        (tmp_path / "guests" / "g.wasm").unlink()
        gateway.wait_for_log("no such file")
        for pid in workers(gateway).values():
            before = starts(gateway)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda before=before: starts(gateway) > before, "a new worker")
        wait_for_version(gateway, versioned(2), 2)
        assert serving(gateway) == {"2"}


def test_a_worker_that_starts_later_has_the_configuration_of_its_siblings(upstream: Upstream, tmp_path: Path) -> None:
    text = config(upstream, workers=2)
    with running(tmp_path, text, {"g": versioned(1), "h": versioned(2)}) as gateway:
        (tmp_path / "sentinel.toml").write_text(text.replace('chain = ["g"]', 'chain = ["h"]'))
        gateway.wait_for_log("was reloaded")
        (tmp_path / "sentinel.toml").write_text("nonsense")
        gateway.wait_for_log("was not reloaded")
        before = starts(gateway)
        os.kill(workers(gateway)[0], signal.SIGKILL)
        wait_until(lambda: starts(gateway) > before, "a new worker")
        assert serving(gateway) == {"2"}


def test_workers_that_die_while_versions_change_end_up_alike(upstream: Upstream, tmp_path: Path) -> None:
    with running(tmp_path, config(upstream, workers=2), {"g": versioned(0)}) as gateway:
        for number in range(1, 6):
            before = starts(gateway)
            put(gateway, versioned(number))
            os.kill(workers(gateway)[number % 2], signal.SIGKILL)
            wait_until(lambda before=before: starts(gateway) > before, "a new worker")
            wait_for_version(gateway, versioned(number), 2)
        assert serving(gateway) == {"5"}


def test_versions_change_during_a_rolling_restart(upstream: Upstream, tmp_path: Path) -> None:
    with (
        running(tmp_path, config(upstream, workers=2), {"g": versioned(1)}) as gateway,
        VersionLoad(gateway, 2) as load,
    ):
        for number in range(2, 5):
            before = starts(gateway)
            gateway.process.send_signal(signal.SIGHUP)
            put(gateway, versioned(number))
            wait_until(lambda before=before: starts(gateway) >= before + 2, "two new workers")
            wait_for_version(gateway, versioned(number), 2)
    # Kept connections end with the workers that had them, between two requests.
    assert not [failure for failure in load.failed if "asked by" in failure]
