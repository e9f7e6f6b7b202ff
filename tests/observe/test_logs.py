"""The gateway's log and its access log, as operators configure them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.forked import ForkedProcess, run_command
from tests.support.gateways import sentinel_run, write_config
from tests.support.upstreams import Upstream
from tests.wat import index

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
{server}

{more}

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/"
upstream = "origin"
chain = [{chain}]
"""
COLOUR = re.compile(rb"\x1b\[[0-9]+m")


def write(folder: Path, upstream: str, more: str, *, server: str = "", chain: str = "") -> Path:
    text = CONFIG.format(upstream=upstream, more=more, server=server, chain=chain)
    return write_config(folder, text, {"chatty": index.wasm("good/log")})


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", {"info", "warn", "error"}),
        ('[log]\nlevel = "warn"', {"warn", "error"}),
        ('[log]\nlevel = "error"\n[guest.chatty]\nlog_level = "trace"', {"trace", "debug", "info", "warn", "error"}),
    ],
)
def test_a_guests_lines_begin_at_its_level(tmp_path: Path, origin: Upstream, more: str, expected: set[str]) -> None:
    with sentinel_run(write(tmp_path, origin.url, more, chain='"chatty"')) as gateway:
        for level in range(5):
            fetch(gateway.public, "/", headers={"x-level": str(level)})
        wait_until(lambda: len(gateway.guest_lines("chatty")) >= 1, "lines")
    assert {line["level"] for line in gateway.guest_lines("chatty")} <= expected


def test_a_log_goes_to_a_file_that_is_moved_away(tmp_path: Path, origin: Upstream) -> None:
    log = tmp_path / "gateway.log"
    config = write(tmp_path, origin.url, '[log]\nfile = "gateway.log"')
    with sentinel_run(config) as gateway:
        log.rename(tmp_path / "old.log")
        gateway.process.send_signal(signal.SIGUSR1)
        wait_until(log.exists, "a new file")
        origin.handler = close
        assert fetch(gateway.public).status == 502
        wait_until(lambda: any(line["level"] == "warning" for line in told(log)), "a line")
    assert log.stat().st_mode & 0o777 == 0o640


async def close(*_: object) -> None:
    raise ConnectionError


@pytest.mark.parametrize("workers", [1, 2])
def test_each_request_has_a_line_in_the_access_log(tmp_path: Path, origin: Upstream, workers: int) -> None:
    access = tmp_path / "access.log"
    more = """
[tracing]
share = 0.0

[access_log]
to = "access.log"
fields = ["method", "path", "query", "status", "route", "trace_id", "user_agent", "duration_ms", "upstream"]
"""
    with sentinel_run(write(tmp_path, origin.url, more, server=f"workers = {workers}")) as gateway:
        fetch(gateway.public, "/a?b=1", headers={"user-agent": "curl"})
        fetch(gateway.public, "//")
        wait_until(lambda: len(told(access)) == 2, "lines")
        first, refused = sorted(told(access), key=lambda line: line["status"])
        assert (first["method"], first["path"], first["query"], first["status"]) == ("GET", "/a", "b=1", 200)
        assert (first["route"], first["user_agent"], first["upstream"]) == ("/", "curl", "origin")
        assert len(first["trace_id"]) == 32
        assert first["duration_ms"] > 0
        assert (refused["path"], refused["status"], refused["route"]) == ("//", 400, "")
        access.rename(tmp_path / "access.old")
        gateway.process.send_signal(signal.SIGUSR1)
        wait_until(access.exists, "a new file")

        def has_new() -> bool:
            fetch(gateway.public, "/new")
            return any(line["path"] == "/new" for line in told(access))

        wait_until(has_new, "a line in the new file")
        fetch(gateway.public, "/last")
    # What waits at the end is written.
    assert "/last" in [line["path"] for line in told(access)]


def test_an_access_log_goes_to_a_datagram_socket(tmp_path: Path, origin: Upstream) -> None:
    more = '[access_log]\nto = "unix:log.sock"\nformat = "{method} {path} {status}"'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log.sock"))
        receiver.settimeout(PATIENCE)
        with sentinel_run(write(tmp_path, origin.url, more)) as gateway:
            fetch(gateway.public, "/a")
            assert receiver.recv(1000) == b"GET /a 200"
            receiver.close()
            fetch(gateway.public, "/b")
            gateway.wait_for_metric("sentinel_access_log_lines_dropped_total", 1)


def test_a_stalled_reader_of_the_log_costs_no_request(tmp_path: Path, origin: Upstream) -> None:
    """Nobody reads what the gateway writes: more than a pipe and all buffers hold."""
    more = f'[access_log]\nformat = "{{path}} {"x" * 80_000}"'
    config = write(tmp_path, origin.url, more)
    reading, writing = os.pipe()
    process = ForkedProcess("sentinel_host", ["run", "--config", str(config)], tmp_path, os.environ, stdout=writing)
    os.close(writing)
    assert process.stderr is not None
    with process.stderr:
        try:
            addresses = [line.rpartition("://")[2].split() for line in (process.stderr.readline() for _ in range(2))]
            (host, port), (admin_host, admin_port) = (words[0].split(":") for words in addresses)
            for _ in range(150):
                assert fetch((host, int(port))).status == 200
            metrics = fetch((admin_host, int(admin_port)), "/metrics").body.decode()
            (dropped,) = re.findall(r"^sentinel_log_lines_dropped_total (\S+)$", metrics, re.MULTILINE)
            assert float(dropped) > 0
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) < 400_000
        finally:
            process.terminate()
            os.close(reading)
            process.wait(PATIENCE)


_SAYS = """
import logging
from sentinel_host.cli.logs import begin_log
from sentinel_host.supervisor.output import create_lock
log = begin_log(create_lock())
logging.getLogger("sentinel.gateway").warning("guest a: %s", "it traps")
log.close()
"""


def test_a_terminal_gets_lines_for_people() -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    subprocess.run([sys.executable, "-c", _SAYS], stdout=theirs, env=environment, check=True, timeout=PATIENCE)
    line = os.read(ours, 4096)
    os.close(theirs)
    os.close(ours)
    assert COLOUR.search(line)
    assert re.fullmatch(rb"\d\d:\d\d:\d\d\.\d\d\d WARNING gateway: guest a: it traps\s*", COLOUR.sub(b"", line))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('[access_log]\nformat = "{colour}"', "access_log.format: there is no field 'colour'"),
        ('[access_log]\nfields = ["colour"]', "access_log.fields: there is no field 'colour'"),
        ('[access_log]\nto = "no/such/folder"', "access_log.to: "),
        ('[log]\nfile = "no/such/folder"', "log.file: "),
    ],
)
def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path, origin: Upstream, more: str, reason: str) -> None:
    config = write(tmp_path, origin.url, more)
    done = run_command(["run", "--config", str(config)], tmp_path)
    assert done.returncode == 1
    assert reason in done.stderr
