"""Directories, outputs and processes that are not to be had: a fall-back, or one line that says
so.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_host.cli import main
from sentinel_host.config import parse_config
from sentinel_host.errors import ConfigError
from tests.support.caches import CACHED
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.configurations import ONE_ORIGIN
from tests.support.gateways import GatewayProcess, write_config
from tests.wat import index

CONFIG = (
    ONE_ORIGIN.replace("bind =", 'admin = "127.0.0.1:0"\nbind =').replace("UPSTREAM", "http://127.0.0.1:9")
    + """
[[route]]
path = "/"
upstream = "origin"
chain = ["echo"]
"""
)

# As every other user, root may not enter what has no permission for it once it lacks these
# capabilities.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with one guest."""
    return write_config(tmp_path, CONFIG, {"echo": index.wasm("good/echo")})


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A directory that nobody may enter."""
    directory = tmp_path / "closed"
    directory.mkdir()
    directory.chmod(0)
    yield directory
    directory.chmod(0o700)


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory has been deleted."""
    directory = tmp_path / "gone"
    directory.mkdir()
    monkeypatch.chdir(directory)
    directory.rmdir()


@pytest.mark.parametrize(("variable", "workers"), [("HOME", 1), ("XDG_CACHE_HOME", 2)])
def test_a_home_that_may_not_be_entered(file: Path, closed: Path, variable: str, workers: int) -> None:
    """It was a traceback: whether there is an admin token was asked of a directory that does not
    tell.
    """
    file.write_text(CONFIG.replace("[server]", f"[server]\nworkers = {workers}"))
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    environment[variable] = str(closed)
    command = [*UNPRIVILEGED, sys.executable, "-m", "sentinel_host"]
    process = subprocess.Popen(
        [*command, "run", "--config", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    gateway = GatewayProcess(process, file.parent)
    try:
        gateway.wait(lambda: len(gateway.addresses) == 2, "listener", 4 * PATIENCE)
        assert "Permission denied" in gateway.wait_for_log("there is no admin token")
        gateway.wait_for_log("guests are compiled at every start")
        assert fetch(gateway.admin, "/guests").status == 403
        assert fetch(gateway.admin, "/readyz").status == 200
        host, port = gateway.admin
        asked = [*command, "guests", "--config", str(file), "--admin", f"{host}:{port}"]
        done = subprocess.run(asked, capture_output=True, text=True, env=environment, timeout=2 * PATIENCE, check=False)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, line.startswith("sentinel: ")) == (1, True)
        assert re.search(r"admin-token-[0-9a-f]{16}: Permission denied$", line)
    finally:
        assert gateway.stop() == 0
    assert not any("Traceback" in line for line in gateway.log)


def test_a_name_that_is_too_long(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/" + "x" * 300)
    assert main(["guests", "--config", str(file)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r"admin-token-[0-9a-f]{16}: File name too long$", line)


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check", "--config", "FILE"], 0, "sentinel.toml: ok"),
        (["check"], 1, "sentinel: sentinel.toml: No such file or directory"),
        (["inspect", "GUEST"], 0, "self-test none"),
        (["inspect", "echo.wasm"], 1, "sentinel: echo.wasm: no such file"),
        (["keygen"], 1, "sentinel: sentinel.key: No such file or directory"),
        (["sign", "GUEST", "--key", "a.key", "--version", "1"], 1, "sentinel: a.key: No such file or directory"),
        (["guests"], 1, "sentinel: sentinel.toml: No such file or directory"),
        (["guests", "--config", "FILE"], 1, "sentinel: no answer from the admin side"),
        (["run"], 1, "sentinel: sentinel.toml: No such file or directory"),
    ],
)
def test_a_working_directory_that_was_deleted(
    file: Path,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Checking a configuration asked for it, wherever the configuration was."""
    monkeypatch.setenv("SENTINEL_ADMIN_TOKEN", "the-token-of-this-test")
    monkeypatch.setenv("XDG_CACHE_HOME", CACHED["XDG_CACHE_HOME"])
    file.write_text(CONFIG.replace("[[upstream]]", '[guests]\ncache = "cache"\n\n[[upstream]]', 1))
    places = {"FILE": str(file), "GUEST": str(file.parent / "guests" / "echo.wasm")}
    assert main([places.get(argument, argument) for argument in arguments]) == code
    told = capsys.readouterr()
    assert said in told.out + told.err
    if code and arguments != ["run"]:
        assert len(told.err.splitlines()) == 1


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_reload_without_a_working_directory(file: Path, workers: int) -> None:
    """Every reload was refused, for a reason that had nothing to do with it."""
    text = CONFIG.replace("[server]", f'[guests]\ncache = "cache"\n\n[server]\nworkers = {workers}')
    file.write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "sentinel_host", "run", "--config", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | CACHED,
    )
    gateway = GatewayProcess(process, file.parent)
    try:
        gateway.wait(lambda: len(gateway.addresses) == 2, "listener", 4 * PATIENCE)
        file.write_text(text + 'methods = ["GET"]\n')
        gateway.wait_for_log("was reloaded, and serves")
    finally:
        assert gateway.stop() == 0


@pytest.mark.usefixtures("gone")
def test_a_proxy_without_a_working_directory() -> None:
    command = [sys.executable, "-m", "sentinel_host", "run", "--upstream", "http://127.0.0.1:9", "--bind"]
    process = subprocess.Popen(
        [*command, "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | CACHED
    )
    gateway = GatewayProcess(process, Path("/"))
    try:
        gateway.wait(lambda: len(gateway.addresses) == 1, "listener", 4 * PATIENCE)
    finally:
        assert gateway.stop() == 0


@pytest.mark.parametrize(
    ("cache", "directory", "is_within"),
    [
        ("cache", "guests", False),
        ("guests/cache", "guests", True),
        ("CONFIG/guests/cache", "guests", True),
        ("guests/cache", "CONFIG/guests", True),
        ("LINKED/cache", "guests", True),
        ("CWD/guests/cache", "guests", False),
        ("guests", "guests", True),
        ("guests2", "guests", False),
        ("../config/guests/x", "guests", True),
    ],
)
def test_where_the_cache_is_depends_on_the_configuration_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str, directory: str, is_within: bool
) -> None:
    """What guests can be put into is never run as machine code; the working directory made a
    difference to that.
    """
    for name in ("config/guests", "elsewhere/guests"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "config" / "guests")
    monkeypatch.chdir(tmp_path / "elsewhere")
    places = {"CONFIG": tmp_path / "config", "CWD": tmp_path / "elsewhere", "LINKED": tmp_path / "linked"}
    for name, path in places.items():
        cache, directory = cache.replace(name, str(path)), directory.replace(name, str(path))
    text = CONFIG + f'\n[guests]\ncache = "{cache}"\ndirectory = "{directory}"\n'
    file = str(tmp_path / "config" / "sentinel.toml")
    if is_within:
        with pytest.raises(ConfigError, match=r"guests\.cache: what is in the guests' directory"):
            parse_config(text, file)
    else:
        parse_config(text, file)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_limit_of_processes_is_one_clear_line(file: Path, workers: int, processes: int, tmp_path: Path) -> None:
    """The system refuses a thread or a process: nothing is served, and no traceback tells of our
    code.
    """
    file.write_text(CONFIG.replace("[server]", f"[server]\nworkers = {workers}"))
    tmp_path.chmod(0o777)
    # Nobody else runs as this user, who may read the code wherever it is.
    user, capability = "54321", "-all,+dac_read_search"
    as_user = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps", capability]
    limited = [*as_user, "--ambient-caps", capability, "prlimit", f"--nproc={processes}"]
    if subprocess.run([*limited, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not become another")
    done = subprocess.run(
        [*limited, sys.executable, "-m", "sentinel_host", "run", "--config", str(file)],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=4 * PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("sentinel: ")
    assert "can't start new thread" in line or "Resource temporarily unavailable" in line


def check(file: Path, stdout: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """``sentinel check`` with this stdout."""
    return subprocess.run(
        [sys.executable, "-m", "sentinel_host", "check", "--config", str(file)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | CACHED | {"PYTHONUNBUFFERED": ""} | environment,
        timeout=4 * PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("kind", ["full", "closed"])
def test_an_output_that_fails_is_one_line(file: Path, kind: str) -> None:
    """Whoever asks for the exit code alone must not take what could not be written for a fault of
    the configuration.
    """
    if kind == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
        said = "sentinel: standard output: No space left on device\n"
    else:
        reading, stdout = os.pipe()
        os.close(reading)
        said = "sentinel: standard output: Broken pipe\n"
    done = check(file, stdout)
    os.close(stdout)
    assert (done.returncode, done.stderr) == (1, said)


def test_an_encoding_that_lacks_a_character(file: Path) -> None:
    renamed = file.rename(file.with_name("caf\xe9.toml"))
    done = check(renamed, subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("caf\\xe9.toml: ok\n")
