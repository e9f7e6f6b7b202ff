"""The units, as systemd itself reads them, and against the product."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from guestbuild.places import REPOSITORY
from sentinel_host.cli.main import parser
from tests.deploy.examples import DEPLOY, block_of, configuration, port, stop_time

UNITS = DEPLOY / "systemd"
# Of 10; a service without any sandbox has 9.6.
MOST_EXPOSED = 1.5

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def unit(name: str) -> configparser.ConfigParser:
    """A unit's sections; of a key that is written several times the last one."""
    read = configparser.ConfigParser(interpolation=None, strict=False)
    # Keys are case-sensitive.
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(UNITS / name)
    return read


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """The command is not where they look for it here: something else stands for it."""
    text = (UNITS / "sentinel.service").read_text().replace("/opt/sentinel/bin/sentinel", "/bin/true")
    (tmp_path / "sentinel.service").write_text(text)
    shutil.copy(UNITS / "sentinel.socket", tmp_path)
    done = analyze(
        "verify", "--man=no", "--recursive-errors=no", tmp_path / "sentinel.service", tmp_path / "sentinel.socket"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_sandbox_is_tight() -> None:
    threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
    done = analyze("security", "--offline=true", "--no-pager", threshold, UNITS / "sentinel.service")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_service_fits_the_gateway_and_its_socket() -> None:
    service, sockets = unit("sentinel.service")["Service"], unit("sentinel.socket")["Socket"]
    config = configuration(block_of("systemd.md"))
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == "/opt/sentinel/bin/sentinel"
    assert parser().parse_args(arguments).config == "/etc/sentinel/sentinel.toml"
    assert service["Type"] == "notify"
    assert float(service["TimeoutStopSec"]) > stop_time(config)
    # With "control-group" a stop reaches the workers, too: they would not serve on for lame_duck.
    assert service["KillMode"] == "mixed"
    # With "stop" one worker without memory would end them all.
    assert service["OOMPolicy"] == "continue"
    # A service that is given up takes its socket with it, and connections no longer wait.
    assert unit("sentinel.service")["Unit"]["StartLimitIntervalSec"] == "0"
    # A socket stands for each address of server.bind.
    assert [port(str(address)) for address in config.server.bind] == [port(sockets["ListenStream"])]
    assert sockets["FileDescriptorName"] == "public"
    cache = dict(each.split("=", 1) for each in service["Environment"].split())["XDG_CACHE_HOME"]
    assert f"{cache}/sentinel" == f"/var/cache/{service['CacheDirectory']}"
    assert service["ProtectSystem"] == "strict"
    assert f"`/var/log/{service['LogsDirectory']}`" in (REPOSITORY / "docs" / "how-to" / "systemd.md").read_text()
    assert (UNITS / "sentinel.sysusers").read_text().split()[1] == service["User"]
