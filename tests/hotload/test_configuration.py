"""The configuration file changes while it is served."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.hotload.versions import VersionLoad, config, put, running, serving, versioned, wait_for_version
from tests.supervisor.support import wait_until
from tests.support.clients import Wire, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream, running_upstream

both = pytest.mark.parametrize("workers", [1, 2])
_RELOADED = "was reloaded, and serves"
_REFUSED = "was not reloaded; the active one stays"


def write(gateway: GatewayProcess, text: str, *, refused: bool = False) -> str:
    """Save the configuration, and wait for the line that says what came of it."""
    said = _REFUSED if refused else _RELOADED
    before = sum(said in line for line in gateway.log)
    (gateway.folder / "sentinel.toml").write_text(text)
    gateway.wait(lambda: sum(said in line for line in gateway.log) > before, said)
    return [line for line in gateway.log if said in line][-1]


@both
def test_routes_chains_limits_and_upstreams_change(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    text = config(upstream, workers=workers)
    with (
        running_upstream() as other,
        running(tmp_path, text, {"g": versioned(1), "h": versioned(2)}) as gateway,
        Wire(gateway.public) as wire,
    ):

        def ask(path: str = "/") -> int:
            wire.get(path)
            return wire.answer().status

        assert ask() == 200
        write(gateway, text.replace('chain = ["g"]', 'chain = ["g", "h"]'))
        assert serving(gateway) == {"1"}  # The first guest has the last word on a response.
        assert upstream.requests[-1].values("x-asked") == ["2"]
        write(gateway, text.replace('chain = ["g"]', "chain = []"))
        assert serving(gateway) == {None}
        write(gateway, text.replace('path = "/"', 'path = "/api"'))
        assert (ask("/"), ask("/api")) == (404, 200)
        write(gateway, text.replace(upstream.url, other.url))
        assert fetch(gateway.public).body == b"hello"
        write(gateway, text.replace("chain =", 'limit = { requests = 2, window = "1h" }\nchain ='))
        assert [fetch(gateway.public).status for _ in range(4)] == [200, 200, 429, 429]
        # What was counted before the limit changed still counts.
        write(gateway, text.replace("chain =", 'limit = { requests = 3, window = "1h" }\nchain ='))
        assert [fetch(gateway.public).status for _ in range(2)] == [200, 429]
        # The connection that was open all the while is served by what is there now.
        assert ask() == 429
        assert gateway.metric('sentinel_worker_restarts_total{worker="0"}') == 0


@both
def test_a_guest_whose_configuration_changes_is_configured_anew(
    upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    text = config(upstream, workers=workers, chain='"api-key-auth"', more="[guest.api-key-auth]\nconfig = KEYS\n")

    def keys(*names: str) -> str:
        return text.replace("KEYS", "{ keys = { " + ", ".join(f'"{name}" = "{name}"' for name in names) + " } }")

    def status(key: str) -> int:
        return fetch(gateway.public, headers={"x-api-key": key}).status

    guests = {"api-key-auth": ARTEFACTS / "rust" / "api-key-auth.wasm"}
    with running(tmp_path, keys("one"), guests) as gateway:
        assert (status("one"), status("two")) == (200, 403)
        write(gateway, keys("two"))
        assert (status("one"), status("two")) == (403, 200)
        # What it refuses is not served, and says whose key is wrong.
        line = write(gateway, text.replace("KEYS", '{ keys = "none" }'), refused=True)
        assert "guest api-key-auth: " in line
        assert "guest.api-key-auth.config.keys: expected a table, found a string" in line
        assert (status("one"), status("two")) == (403, 200)


@both
def test_a_file_that_cannot_be_served_changes_nothing_and_says_where(
    upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    text = config(upstream, workers=workers)
    broken = {
        "route[0]: unknown key `chains`": text.replace("chain =", "chains ="),
        "route[0].upstream: no upstream is named 'orign'": text.replace('"origin"\nchain', '"orign"\nchain'),
        "guests.watch: expected `bool`, got `int`": text.replace("[guests]", "[guests]\nwatch = 3"),
        "sentinel.toml: Expected": text.replace("[[route]]", "[[route"),
        "guest absent: ": text.replace('"g"', '"absent"'),
    }
    with running(tmp_path, text, {"g": versioned(1)}) as gateway, VersionLoad(gateway) as load:
        for reason, wrong in broken.items():
            line = write(gateway, wrong, refused=True)
            assert reason in line
            assert "sentinel.toml" in line or "absent.wasm" in line
        load.wait_for(30)
        assert fetch(gateway.admin, "/readyz").status == 200
        # The guest that was missing comes, and the file that waits for it is served; then one that
        # is right again.
        before = sum(_RELOADED in line for line in gateway.log)
        put(gateway, versioned(1), "absent")
        gateway.wait(lambda: sum(_RELOADED in line for line in gateway.log) > before, _RELOADED)
        write(gateway, text)
    assert load.failed == []


@both
def test_what_needs_a_restart_is_said_and_the_rest_is_served(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    text = config(upstream, workers=workers)
    with running(tmp_path, text, {"g": versioned(1)}) as gateway:
        changed = text.replace('bind = ["127.0.0.1:0"]', 'bind = ["127.0.0.1:0", "[::1]:0"]\nlimit_slots = 1000')
        write(gateway, changed.replace('path = "/"', 'path = "/api"'))
        when = "a restart" if workers == 1 else "SIGHUP"
        gateway.wait_for_log(f"server.bind has changed, which takes effect with {when}")
        gateway.wait_for_log("server.limit_slots has changed, which takes effect with a restart")
        assert fetch(gateway.public, "/api").status == 200
        assert fetch(gateway.public, "/").status == 404


@both
def test_unwatched_files_are_read_on_sighup(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    text = config(upstream, workers=workers, guests="watch = false")
    with running(tmp_path, text, {"g": versioned(1)}) as gateway:
        put(gateway, versioned(2))
        (tmp_path / "sentinel.toml").write_text(text.replace('path = "/"', 'path = "/api"'))
        assert serving(gateway) == {"1"}
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: fetch(gateway.public, "/").status == 404, "the new configuration")
        wait_until(lambda: fetch(gateway.public, "/api").header("x-answered") == "2", "the new version")


def test_identity_headers_and_proxies_change(upstream: Upstream, tmp_path: Path) -> None:
    text = config(upstream, chain="")

    def sent(name: str) -> list[str]:
        fetch(gateway.public, headers={name: "forged"})
        return upstream.requests[-1].values(name)

    with running(tmp_path, text, {}) as gateway:
        assert (sent("x-principal"), sent("x-user")) == ([], ["forged"])
        write(gateway, text.replace("workers = 1", 'workers = 1\nidentity_headers = ["x-user"]'))
        assert (sent("x-principal"), sent("x-user")) == (["forged"], [])


def test_both_change_at_once(upstream: Upstream, tmp_path: Path) -> None:
    text = config(upstream)
    with running(tmp_path, text, {"g": versioned(1)}) as gateway, VersionLoad(gateway) as load:
        for number in range(2, 8):
            put(gateway, versioned(number))
            (tmp_path / "sentinel.toml").write_text(text.replace('name = "main"', f'name = "main{number}"'))
            wait_for_version(gateway, versioned(number))
        gateway.wait(lambda: sum(_RELOADED in line for line in gateway.log) >= 1, _RELOADED)
        load.wait_for(20)
    assert load.failed == []


@both
def test_a_file_that_is_slow_to_read_holds_up_no_request(upstream: Upstream, tmp_path: Path, workers: int) -> None:
    """With one worker the configuration was read on the loop that serves, as all files' states
    were: on a network file system requests waited for it. A pipe that nobody writes to is as slow
    as a file can be.
    """
    text = config(upstream, workers=workers)
    file = tmp_path / "sentinel.toml"
    with running(tmp_path, text, {"g": versioned(1)}) as gateway:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "pipe").rename(file)
        writers: list[int] = []

        def is_read() -> bool:
            with contextlib.suppress(OSError):
                writers.append(os.open(file, os.O_WRONLY | os.O_NONBLOCK))
            return bool(writers)

        wait_until(is_read, "the gateway to read the pipe")
        assert fetch(gateway.public).status == 200
        # Guests come and go meanwhile.
        put(gateway, versioned(2))
        wait_for_version(gateway, versioned(2), workers)
        with open(writers[0], "w") as writer:
            writer.write(text.replace('path = "/"', 'path = "/api"'))
        gateway.wait_for_log(_RELOADED)
        assert fetch(gateway.public, "/api").status == 200
