"""The ``sentinel`` command: what it shows, and one line that names file and fault when the input is bad."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, ROOT, sentinel_proxy, write_config
from tests.support.guests import trapping
from tests.support.upstreams import Upstream
from tests.wat import index


@dataclass(frozen=True)
class Result:
    """How a run of the command ended."""

    returncode: int
    stdout: str
    stderr: str


Sentinel = Callable[..., Result]


@pytest.fixture
def sentinel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sentinel:
    """Runs the command in the test's folder, in this process: a second saved for each row."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return Result(main(arguments), *capsys.readouterr())

    return run


@pytest.fixture
def process(tmp_path: Path) -> Sentinel:
    """Runs the command in a process of its own, where it gets as far as opening sockets."""

    def run(*arguments: str) -> Result:
        command = [sys.executable, "-m", "sentinel_host", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    return run


def only_line(result: Result) -> str:
    """The single line of a failure."""
    assert result.returncode == 1, result
    (line,) = result.stderr.splitlines()
    assert line.startswith("sentinel: ")
    return line


COMPONENT = (ARTEFACTS / "rust" / "api-key-auth.wasm").read_bytes
BAD_GUESTS = {
    "a directory": (None, "guest.wasm"),
    "empty": (b"", "guest.wasm"),
    "not Wasm": (b"#!/bin/sh\necho hello\n", "not"),
    "only the magic number": (b"\0asm", "guest.wasm"),
    "a future version of Wasm": (b"\0asm\x09\0\0\0", "guest.wasm"),
    "an unknown import": (index.wasm("refused/import_unknown"), "import"),
    "a WASI import": (index.wasm("refused/import_wasi"), "wasi"),
    "no hook": (index.wasm("refused/no_hook"), "hook"),
    "another ABI version": (index.wasm("refused/version_major"), "1.1.0; this host offers 0.1.0"),
    "no ABI version": (index.wasm("refused/version_missing"), "version"),
    "a hook of the wrong type": (index.wasm("refused/hook_params"), "on-request"),
}
CONFIG = """
[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9"]

[[route]]
path = "/"
upstream = "origin"
chain = ["guest"]
"""


@pytest.mark.parametrize("command", ["check", "inspect"])
@pytest.mark.parametrize(("guest", "named"), BAD_GUESTS.values(), ids=BAD_GUESTS.keys())
def test_a_bad_guest_is_named_with_its_fault(
    sentinel: Sentinel, tmp_path: Path, command: str, guest: bytes | None, named: str
) -> None:
    write_config(tmp_path, CONFIG)
    artefact = tmp_path / "guests" / "guest.wasm"
    if guest is None:
        artefact.mkdir()
    else:
        artefact.write_bytes(guest)
    line = only_line(sentinel(*(["check"] if command == "check" else ["inspect", "guests/guest.wasm"])))
    assert "guests/guest.wasm: " in line
    assert named in line


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_component_is_named(sentinel: Sentinel, tmp_path: Path, share: float) -> None:
    whole = COMPONENT()
    (tmp_path / "cut.wasm").write_bytes(whole[: int(len(whole) * share)])
    assert "cut.wasm: " in only_line(sentinel("inspect", "cut.wasm"))


def test_a_guest_that_is_not_there_is_named(sentinel: Sentinel, tmp_path: Path) -> None:
    write_config(tmp_path, CONFIG)
    assert "guests/guest.wasm: no such file" in only_line(sentinel("check"))
    assert "none.wasm: no such file" in only_line(sentinel("inspect", "none.wasm"))


@pytest.mark.parametrize("language", ["rust", "assemblyscript"])
@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("", "keys"),
        ("config = { keys = {} }", "keys"),
        ("config = { keys = { a = 1 } }", "keys"),
        ('config = { keys = { a = "b" }, hearder = "x-key" }', "hearder"),
        ('config = { keys = { a = "b" }, header = "x key" }', "header"),
    ],
)
def test_a_configuration_that_the_guest_refuses_is_named(
    sentinel: Sentinel, tmp_path: Path, language: str, config: str, named: str
) -> None:
    write_config(tmp_path, f"[guest.guest]\n{config}\n" + CONFIG, {"guest": ARTEFACTS / language / "api-key-auth.wasm"})
    line = only_line(sentinel("check"))
    assert "configure" in line
    assert named in line


ROUTE = '[[upstream]]\nname = "o"\ntargets = ["http://a"]\n[[route]]\npath = "/"\nupstream = "o"\n'
BAD_CONFIGS = {
    "TOML": ("[server\n", "line 1"),
    "unknown section": ("[sever]\n", "sever"),
    "unknown key": ("[server]\nbindd = []\n", "bindd"),
    "wrong type": ('[server]\nbind = "127.0.0.1:1"\n', "server.bind"),
    "bad address": ('[server]\nbind = ["127.0.0.1"]\n', "server.bind[0]"),
    "bad duration": ("[server]\ngrace = 5\n", "server.grace"),
    "bad size": ('[server.limits]\nhead_bytes = "64kb"\n', "server.limits.head_bytes"),
    "no route": ("", "[[route]]"),
    "unknown upstream": (ROUTE.replace('upstream = "o"', 'upstream = "p"'), "route[0].upstream"),
    "bad target": (ROUTE.replace("http://a", "a:80"), "upstream[0].targets[0]"),
    "identity as trailer": (ROUTE + 'trailers = ["x_principal"]\n', "route[0].trailers[0]"),
    "path not canonical": (ROUTE.replace('path = "/"', 'path = "/a/../b"'), "route[0].path"),
    "no duration": (ROUTE + 'limit = { requests = 1, window = "soon" }\n', "window"),
    "URL of the store": (
        '[server]\nlimit_store = "redis://:se/cret@a:6379"\n',
        "server.limit_store: its host or port is",
    ),
    "NUL": ("\0", "line 1"),
}


@pytest.mark.parametrize(("text", "named"), BAD_CONFIGS.values(), ids=BAD_CONFIGS.keys())
def test_a_bad_configuration_is_named_with_its_key(sentinel: Sentinel, tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "sentinel.toml").write_text(text)
    line = only_line(sentinel("check"))
    assert "sentinel.toml: " in line
    assert named in line


@pytest.mark.parametrize("case", ["TOML", "wrong type", "no route", "URL of the store"])
def test_a_bad_configuration_is_not_run(process: Sentinel, tmp_path: Path, case: str) -> None:
    text, named = BAD_CONFIGS[case]
    (tmp_path / "sentinel.toml").write_text(text)
    line = only_line(process("run"))
    assert "sentinel.toml: " in line
    assert named in line


def test_a_configuration_that_cannot_be_read_is_named(sentinel: Sentinel, tmp_path: Path) -> None:
    for command in ("check", "run"):
        assert "none.toml: No such file" in only_line(sentinel(command, "--config", "none.toml"))
        assert "Is a directory" in only_line(sentinel(command, "--config", "."))
    (tmp_path / "sentinel.toml").write_bytes(b"\xff")
    assert "not UTF-8" in only_line(sentinel("check"))


@pytest.mark.parametrize("key", ["cert", "ca"])
def test_a_certificate_that_is_not_there_is_named(process: Sentinel, tmp_path: Path, key: str) -> None:
    text = {
        "cert": '[server.tls]\ncert = "none.pem"\nkey = "none.pem"\n' + ROUTE,
        "ca": ROUTE.replace('targets = ["http://a"]', 'targets = ["https://a"]\nca = "none.pem"'),
    }[key]
    write_config(tmp_path, text)
    assert "none.pem" in only_line(process("run"))


def test_an_address_in_use_is_named(process: Sentinel, tmp_path: Path, upstream: Upstream) -> None:
    address = f"127.0.0.1:{upstream.port}"
    line = only_line(process("run", "--upstream", "http://127.0.0.1:9", "--bind", address))
    assert address in line


@pytest.mark.parametrize("url", ["127.0.0.1:9", "ftp://a", "http://", "http://a/b", "http://u:p@a", "http://a:99999"])
def test_an_upstream_that_is_no_url_is_named(sentinel: Sentinel, tmp_path: Path, url: str) -> None:
    assert "--upstream" in only_line(sentinel("run", "--upstream", url, "--bind", "127.0.0.1:0"))


def test_check_says_what_is_right(sentinel: Sentinel, tmp_path: Path) -> None:
    write_config(tmp_path, CONFIG, {"guest": ARTEFACTS / "rust" / "header-injection.wasm"})
    result = sentinel("check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "guest: ok\nsentinel.toml: ok\n", "")


@pytest.mark.parametrize(
    ("language", "guest", "hooks"),
    [
        ("rust", "access-log", "configure, on-complete"),
        ("assemblyscript", "header-injection", "configure, on-request, on-response"),
    ],
)
def test_inspect_shows_what_an_artefact_holds(
    sentinel: Sentinel, tmp_path: Path, language: str, guest: str, hooks: str
) -> None:
    path = ARTEFACTS / language / f"{guest}.wasm"
    result = sentinel("inspect", str(path))
    assert result.returncode == 0
    rows = dict(line.split(None, 1) for line in result.stdout.splitlines())
    data = path.read_bytes()
    assert rows["file"] == str(path)
    assert rows["kind"] == "component"
    assert rows["abi"] == "0.1.0"
    assert rows["hooks"] == hooks
    assert language in rows["language"].lower()
    assert rows["size"] == f"{len(data)} bytes"
    assert rows["sha256"] == hashlib.sha256(data).hexdigest()


def test_inspect_runs_nothing(sentinel: Sentinel, tmp_path: Path) -> None:
    (tmp_path / "guest.wasm").write_bytes(trapping())
    result = sentinel("inspect", "guest.wasm")
    assert result.returncode == 0
    assert "core module" in result.stdout


def test_run_with_an_upstream_alone(tmp_path: Path, upstream: Upstream) -> None:
    with sentinel_proxy(upstream.url, tmp_path) as gateway:
        assert fetch(gateway.public, "/a?b").body == b"hello"
    assert upstream.requests[0].target == "/a?b"


def test_a_failure_of_the_real_command_is_one_line(process: Sentinel) -> None:
    result = process("check")
    assert result == Result(1, "", "sentinel: sentinel.toml: No such file or directory\n")


def test_the_demo_probes_itself() -> None:
    command = [sys.executable, "guest-examples/demo/run.py", "--check", "--any-port"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
