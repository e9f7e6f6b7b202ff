"""`sentinel dev`: a guest is built on save, and the newest that builds serves."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from guestbuild.places import BUILD
from sentinel_host.authoring.paint import Paint
from sentinel_host.authoring.project import LANGUAGES, create_project
from sentinel_host.authoring.toml_text import table
from tests.support.clocks import PATIENCE
from tests.support.upstreams import running_upstream

# A cold machine compiles the SDK first.
COMPILING = 600 + PATIENCE
TEST = {"user-agent": "test"}


class Dev:
    """The command in a project; ``events`` are those that were waited for, and those before
    them.
    """

    def __init__(self, project: Path, *arguments: str) -> None:
        environment = os.environ | {"CARGO_TARGET_DIR": str(BUILD / "cargo" / "external")}
        command = (sys.executable, "-m", "sentinel_host", "dev", "--json", "--bind", "127.0.0.1:0", *arguments)
        self.process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True, env=environment)
        self.events: list[dict[str, Any]] = []
        self._arriving: Queue[dict[str, Any]] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def until(self, name: str) -> dict[str, Any]:
        while True:
            event = self._arriving.get(timeout=COMPILING)
            self.events.append(event)
            if event["event"] == name:
                return event
            assert event["event"] != "failed", event

    def last(self, name: str) -> dict[str, Any]:
        return next(event for event in reversed(self.events) if event["event"] == name)

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Dev:
        return self

    def __exit__(self, *raised: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._arriving.put(json.loads(line))


def get(url: str, target: str = "/", headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Without a user-agent, if none is among the headers."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    connection.request("GET", target, headers=headers or {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return create_project(tmp_path / "edited", LANGUAGES["rust"]).folder


def edit(project: Path, *changes: tuple[str, str]) -> None:
    """In one write: each of two might be built by itself, and might not compile."""
    source = project / "src" / "lib.rs"
    text = source.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    source.write_text(text)


@pytest.fixture
def dev(project: Path) -> Iterator[Dev]:
    with Dev(project) as running:
        yield running


def test_the_newest_guest_that_builds_serves(dev: Dev, project: Path) -> None:
    url = dev.until("serving")["url"]
    status, text = get(url, "/orders?page=2", TEST)
    assert status == 200
    assert text.startswith("GET /orders?page=2\n")
    assert "\nx-guest: edited\n" in text
    request = dev.until("request")
    assert (request["target"], request["origin"], request["edits"]) == (
        "/orders?page=2",
        "upstream",
        ["sets x-guest: edited"],
    )

    edit(project, ("a user-agent is needed", "who are you?"))
    dev.until("swapped")
    edit(project, ("Ok(())", "Ok(()"))
    failed = dev.until("failed")
    assert failed["serves"]
    assert "src/lib.rs" in failed["reason"]

    # What it imports by and by is granted.
    edit(
        project,
        ("Ok(()", 'info!("at {:?}", clock::wall());\n        Ok(())'),
        ("use sentinel_sdk::prelude::*;", "use sentinel_sdk::{clock, prelude::*};"),
    )
    dev.until("swapped")
    assert dev.last("built")["grants"] == ["clock"]
    assert get(url, headers=TEST)[0] == 200
    assert dev.until("log")["message"].startswith("at ")
    assert [event for event in dev.events if event["event"] == "gateway"] == []
    assert dev.end() == 0


def test_an_answer_what_was_logged_and_an_upstream(project: Path) -> None:
    with running_upstream() as upstream, Dev(project, "--upstream", upstream.url) as dev:
        url = dev.until("serving")["url"]
        assert get(url)[0] == 400
        assert dev.until("request")["edits"] == ["answers 400, 23 bytes"]
        assert dev.until("log")["message"] == "127.0.0.1 does not say what it is"
        assert upstream.requests == []
        assert get(url, headers=TEST) == (200, "hello")
        assert upstream.requests[0].values("x-guest") == ["edited"]
        assert dev.end() == 0


def test_written_toml_is_read_as_the_same() -> None:
    values: dict[str, Any] = {
        "text": 'a "quoted"\\ line\n\x7fé',
        "numbers": [1, -2.5],
        "on": True,
        "table": {"a key": {"x-y": []}, "": "empty"},
    }
    assert tomllib.loads(table("[one]", values)) == {"one": values}


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Paint.of(Terminal())("red", "x") == "\x1b[31mx\x1b[0m"  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint.of(Terminal())("red", "x") == "x"  # type: ignore[arg-type]
