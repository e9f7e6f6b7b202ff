"""Commands that ask a gateway: `sentinel top`, what happened between two states, and
`sentinel diff --running`.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from sentinel_host.authoring.paint import Paint
from sentinel_host.cli import main
from sentinel_host.cli.top import screen
from sentinel_host.control.state import StateView
from tests.control.support import KEY, admin, config
from tests.supervisor.support import wait_until
from tests.support.caches import CACHED
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Upstream


def arguments(gateway: GatewayProcess, *more: str) -> list[str]:
    host, port = gateway.admin
    return ["top", "--config", str(gateway.folder / "sentinel.toml"), "--admin", f"{host}:{port}", *more]


def state(gateway: GatewayProcess) -> StateView:
    return msgspec.convert(admin(gateway, "/state").json(), StateView)


def test_rates_are_differences(gateway: GatewayProcess) -> None:
    before = state(gateway)
    for _ in range(4):
        fetch(gateway.public, "/api/x", headers=KEY)
    wait_until(lambda: state(gateway).routes[0].requests == before.routes[0].requests + 4, "the requests to be counted")
    now = state(gateway)
    # Two seconds later, whatever the clock says.
    seconds = before.time[:17] + "00.000+00:00", before.time[:17] + "02.000+00:00"
    before, now = (msgspec.structs.replace(state, time=at) for state, at in zip((before, now), seconds, strict=True))
    lines = screen(before, now, Paint(False))
    assert lines[0].startswith("sentinel  2 requests/s  ")
    assert lines[0].endswith("1 of 1 workers")
    api = next(line.split() for line in lines if line.startswith("api "))
    assert api[1:3] == ["2", "0.0%"]
    assert any(line.startswith("origin  http://127.0.0.1:") and " serving " in line for line in lines)
    assert any(line.startswith("header-injection  serving") for line in lines)


def test_elsewhere_than_on_a_terminal_it_ends(gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(gateway)) == 0
    assert "ROUTE" in capsys.readouterr().out
    assert main(arguments(gateway, "--json")) == 0
    assert [route["name"] for route in json.loads(capsys.readouterr().out)["routes"]] == ["api", "few"]


def test_a_gateway_says_what_would_change(
    gateway: GatewayProcess, upstream: Upstream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.toml"
    new.write_text(config(upstream.url).replace('path = "/few"', 'path = "/fewer"'))
    host, port = gateway.admin
    asked = ["diff", str(new), "--running", "--config", str(gateway.folder / "sentinel.toml")]
    assert main([*asked, "--admin", f"{host}:{port}"]) == 0
    assert capsys.readouterr().out == '~ route[few].path: "/few" → "/fewer"\n'
    new.write_text("[sever]")
    assert main([*asked, "--admin", f"{host}:{port}"]) == 1
    assert "sever: unknown section" in capsys.readouterr().err


def test_on_a_terminal_it_lives_until_it_is_interrupted(gateway: GatewayProcess) -> None:
    ours, theirs = pty.openpty()
    # Whoever runs the tests in the background has SIGINT ignored, and what is started inherits
    # that.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "sentinel_host", *arguments(gateway)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | CACHED)
    os.close(theirs)
    try:
        told = read_until(ours, b"\x1b[H\x1b[J", 2)
        assert b"\x1b[32mserving\x1b[0m" in told
        process.send_signal(signal.SIGINT)
        read_until(ours, b"\x1b[?1049l", 1)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, text: bytes, times: int) -> bytes:
    """What is written to a terminal, until the text has come so often."""
    told = b""
    while told.count(text) < times:
        assert select.select([terminal], [], [], PATIENCE)[0], told
        told += os.read(terminal, 65536)
    return told
