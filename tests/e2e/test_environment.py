"""Environment variables in the configuration of a gateway that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clients import fetch
from tests.support.clocks import wait_until
from tests.support.gateways import sentinel_run, write_config

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
workers = WORKERS

[[route]]
path = "/"
respond = { body = "GREETING" }
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_all_workers_and_reloads_know_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setenv("GREETING", "hello")
    monkeypatch.setenv("SECRET", "s3cret-value")
    text = CONFIG.replace("WORKERS", str(workers))
    config = write_config(tmp_path, text.replace('"GREETING"', '"${GREETING}"'))
    with sentinel_run(config) as gateway:
        assert fetch(gateway.public).body == b"hello"

        def put(line: str) -> None:
            (tmp_path / "next").write_text(text.replace('"GREETING"', line))
            (tmp_path / "next").rename(config)

        put('"${NOBODY_SETS_THIS}"')
        gateway.wait_for_log("route[0].respond.body: the environment variable NOBODY_SETS_THIS is not set")
        put('"a", status = "${SECRET}"')
        gateway.wait_for_log("route[0].respond.status: ")
        assert fetch(gateway.public).body == b"hello"
        put('"${GREETING}, ${NOBODY_SETS_THIS:-you}"')
        wait_until(lambda: fetch(gateway.public).body == b"hello, you", "reload")
        assert not any("s3cret" in line for line in gateway.log)
