"""The ``sentinel`` command: what it shows, and one line that names file and fault when the input is
bad.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.support.certificates import self_signed
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.forked import run_command
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
        done = run_command(arguments, tmp_path)
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


def test_a_guest_has_its_start_deadline(sentinel: Sentinel, tmp_path: Path) -> None:
    config = f'{CONFIG}\n[guest.guest]\nstart_deadline = "20ms"\n'
    write_config(tmp_path, config, {"guest": index.wasm("hostile/start_loops")})
    line = only_line(sentinel("check"))
    assert "guests/guest.wasm: start: " in line
    assert "20 ms" in line


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
        ("config = { keys = {} }", "keys"),
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


@pytest.mark.parametrize("language", ["rust", "assemblyscript"])
@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("", ": missing key 'keys'"),
        ("config = { keys = { secret = 1 } }", ".keys.*: expected a string, found an integer"),
        ('config = { keys = { a = "b" }, hearder = "x-key" }', ": unknown key 'hearder'; did you mean `header`?"),
        ('config = { keys = { a = "b" }, realm = [] }', ".realm: expected a string, found an array"),
    ],
)
def test_a_configuration_that_does_not_fit_the_guests_schema_is_named_with_its_key(
    sentinel: Sentinel, tmp_path: Path, language: str, config: str, problem: str
) -> None:
    write_config(tmp_path, f"[guest.guest]\n{config}\n" + CONFIG, {"guest": ARTEFACTS / language / "api-key-auth.wasm"})
    assert only_line(sentinel("check")).endswith(f"sentinel.toml: guest.guest.config{problem}")


def test_the_place_of_a_key_that_a_route_lays_over_is_named(sentinel: Sentinel, tmp_path: Path) -> None:
    entry = 'chain = [{ guest = "guest", config = { realm = 1 } }]'
    text = CONFIG.replace('chain = ["guest"]', entry)
    assert entry in text
    own = '[guest.guest]\nconfig = { keys = { a = "b" } }\n'
    write_config(tmp_path, own + text, {"guest": ARTEFACTS / "rust" / "api-key-auth.wasm"})
    line = only_line(sentinel("check"))
    assert line.endswith("sentinel.toml: route[0].chain[0].config.realm: expected a string, found an integer")


def test_inspect_prints_the_schema(sentinel: Sentinel, tmp_path: Path) -> None:
    shown = sentinel("inspect", str(ARTEFACTS / "rust" / "daily-quota.wasm")).stdout
    schema = json.loads(dict(line.split(None, 1) for line in shown.splitlines())["config"])
    assert schema["required"] == ["limit"]
    assert schema["properties"]["header"]["default"] == "x-principal"


ROUTE = '[[upstream]]\nname = "o"\ntargets = ["http://a"]\n[[route]]\npath = "/"\nupstream = "o"\n'
BAD_CONFIGS = {
    "TOML": ("[server\n", "line 1"),
    "unknown section": ("[sever]\n", "did you mean `server`?"),
    "unknown key": ("[server]\nbindd = []\n", "server: unknown key `bindd`; did you mean `bind`?"),
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


def served(*keys: str, tls: str = "") -> str:
    """A configuration with these keys of ``[server]``."""
    server = "\n".join(['[server]\nbind = ["127.0.0.1:0"]', *keys, f"tls = {tls}" if tls else ""])
    return f"{server}\n{ROUTE}"


ADMIN = 'admin = "127.0.0.1:0"'
TLS_ROUTE = ROUTE.replace('targets = ["http://a"]', 'targets = ["https://a"]\nca = "CA"')
GUEST_ROUTE = (
    """[guest.g]
grants = ["http-client"]
[guest.g.http]
allow = ["https://a"]
ca = "none.pem"
"""
    + ROUTE
    + 'chain = ["g"]\n'
)
REFUSED_BY_THE_MACHINE = {
    "no certificate": (served(tls='{ cert = "none.pem", key = "key.pem" }'), "server.tls.cert: none.pem: No such file"),
    "no key": (served(tls='{ cert = "cert.pem", key = "none.pem" }'), "server.tls.key: none.pem: No such file"),
    "a certificate that is none": (served(tls='{ cert = "text", key = "key.pem" }'), "server.tls.cert: text: it holds"),
    "a key that is none": (served(tls='{ cert = "cert.pem", key = "text" }'), "server.tls.key: text: it holds no"),
    "another's key": (
        served(tls='{ cert = "cert.pem", key = "other.pem" }'),
        "server.tls.key: other.pem: it is not the key of cert.pem",
    ),
    "a key with a passphrase": (
        served(tls='{ cert = "cert.pem", key = "locked.pem" }'),
        "server.tls.key: locked.pem: it holds no private key in PEM without a passphrase",
    ),
    "one address's certificate": (
        '[server]\nbind = ["127.0.0.1:0", { address = "127.0.0.1:0", tls = { cert = "none.pem", key = "key.pem" } }]\n'
        + ROUTE,
        "server.bind[1].tls.cert: none.pem: No such file",
    ),
    "HTTP/3's certificate": (
        '[server]\nbind = [{ address = "127.0.0.1:0", tls = { cert = "cert.pem", key = "key.pem" } }]\n'
        'quic_bind = "127.0.0.1:0"\ntls = { cert = "cert.pem", key = "other.pem" }\n' + ROUTE,
        "server.tls.key: other.pem: it is not the key",
    ),
    "no authorities": (TLS_ROUTE.replace("CA", "none.pem"), "upstream[0].ca: none.pem: No such file"),
    "authorities that are none": (TLS_ROUTE.replace("CA", "text"), "upstream[0].ca: text: it holds no certificate"),
    "a folder without authorities": (TLS_ROUTE.replace("CA", "guests"), "upstream[0].ca: guests: it holds no certif"),
    "no authorities for a guest": (GUEST_ROUTE, "guest.g.http.ca: none.pem: No such file"),
    "a short token": (served(ADMIN, 'admin_token = "short"'), "server.admin_token: expected 16 to 512"),
    "no token's file": (served(ADMIN, 'admin_token_file = "none"'), "server.admin_token_file: none: No such file"),
    "a short token's file": (served(ADMIN, 'admin_token_file = "text"'), "admin_token_file: text: expected 16 to 512"),
    "a token's file that is none": (
        served(ADMIN, 'admin_token_file = "guests"'),
        "server.admin_token_file: guests: Is a directory",
    ),
    "no key for guests": (
        '[guests]\nverify_keys = ["none.pub"]\n' + served(),
        "guests.verify_keys[0]: none.pub: No such file",
    ),
    "a key for guests that is none": (
        '[guests]\nverify_keys = ["text"]\n' + served(),
        "guests.verify_keys[0]: text: is",
    ),
    "an endless file": (served(tls='{ cert = "/dev/zero", key = "key.pem" }'), "server.tls.cert: /dev/zero: is larger"),
    "another machine's address": ('[server]\nbind = ["203.0.113.1:80"]\n' + ROUTE, "203.0.113.1:80: Cannot assign"),
    "another machine's admin side": (served('admin = "203.0.113.1:80"'), "203.0.113.1:80: Cannot assign"),
    "a name that is no address": ('[server]\nbind = ["no such host:80"]\n' + ROUTE, "no such host:80: "),
}


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``cert.pem``, its ``key.pem``, another key, the key with a passphrase, and a
    text.
    """
    folder = tmp_path_factory.mktemp("pems")
    self_signed(folder)
    for arguments in (
        ["genpkey", "-algorithm", "ed25519", "-out", "other.pem"],
        ["pkey", "-in", "key.pem", "-aes128", "-passout", "pass:secret", "-out", "locked.pem"],
    ):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    (folder / "text").write_text("text")
    return folder


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("text", "named"), REFUSED_BY_THE_MACHINE.values(), ids=[name.replace(" ", "-") for name in REFUSED_BY_THE_MACHINE]
)
def test_what_cannot_be_run_is_not_right(
    sentinel: Sentinel, tmp_path: Path, pems: Path, monkeypatch: pytest.MonkeyPatch, command: str, text: str, named: str
) -> None:
    """``check`` found nothing wrong with most of these. Both begin with the same steps now
    (`supervisor/prepared`).
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(pems, tmp_path, dirs_exist_ok=True)
    write_config(tmp_path, text)
    assert named in only_line(sentinel(command))


def test_a_token_in_the_environment_is_checked(
    sentinel: Sentinel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_ADMIN_TOKEN", "short")
    write_config(tmp_path, served(ADMIN))
    assert "SENTINEL_ADMIN_TOKEN: expected 16 to 512" in only_line(sentinel("check"))


def test_check_leaves_everything_as_it_is(
    sentinel: Sentinel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pems: Path, upstream: Upstream
) -> None:
    """It may be run beside the gateway whose configuration it is: that one has the addresses. No
    token is made.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(pems, tmp_path, dirs_exist_ok=True)
    taken = f'["127.0.0.1:{upstream.port}"]'
    text = served(ADMIN, tls='{ cert = "cert.pem", key = "key.pem" }').replace('["127.0.0.1:0"]', taken)
    write_config(tmp_path, text)
    result = sentinel("check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "sentinel.toml: ok\n", "")
    assert not list(tmp_path.glob("cache/sentinel/admin-token*"))


def test_files_are_found_beside_the_configuration(
    sentinel: Sentinel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pems: Path
) -> None:
    """Certificates and authorities were looked for in the working directory, all other files beside
    the file.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "elsewhere"
    shutil.copytree(pems, folder)
    text = TLS_ROUTE.replace("CA", "cert.pem")
    write_config(folder, f'[server]\ntls = {{ cert = "cert.pem", key = "key.pem" }}\nbind = ["127.0.0.1:0"]\n{text}')
    assert sentinel("check", "--config", "elsewhere/sentinel.toml").returncode == 0


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
    assert rows["defaults"] == "memory 16 MiB, start_deadline 250 ms"
    assert rows["size"] == f"{len(data)} bytes"
    assert rows["sha256"] == hashlib.sha256(data).hexdigest()


def test_programs_get_json(sentinel: Sentinel, tmp_path: Path) -> None:
    write_config(tmp_path, CONFIG, {"guest": ARTEFACTS / "rust" / "header-injection.wasm"})
    checked = json.loads(sentinel("check", "--json").stdout)
    assert checked == {
        "file": "sentinel.toml",
        "ok": True,
        "guests": {"guest": {"error": None, "standard": False}},
        "logs": [],
    }
    inspected = json.loads(sentinel("inspect", "--json", "guests/guest.wasm").stdout)
    assert inspected["hooks"] == ["configure", "on-request", "on-response"]
    assert inspected["signed"] is None
    (tmp_path / "guests" / "guest.wasm").write_bytes(b"none")
    result = sentinel("check", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["guests"]["guest"]["error"]


def test_the_version_is_one_line(process: Sentinel) -> None:
    result = process("--version")
    assert result.returncode == 0
    assert re.fullmatch(r"sentinel \S+ \(Python \S+, wasmtime \S+\)\n", result.stdout)


def test_a_misspelt_command_is_corrected(process: Sentinel) -> None:
    assert process("chekc") == Result(2, "", "sentinel: there is no command 'chekc'; did you mean `check`?\n")


def test_the_command_of_supervisors_is_hidden(process: Sentinel) -> None:
    nothing = process()
    assert nothing.returncode == 2
    for told in (nothing.stderr, process("--help").stdout, process("check", "--bad").stderr, process("zebra").stderr):
        assert "worker" not in told
    assert "--control" in process("worker", "--help").stdout


def test_without_a_configuration_it_says_what_to_do(sentinel: Sentinel, tmp_path: Path) -> None:
    result = sentinel("run")
    assert result.returncode == 1
    first, *steps = result.stderr.splitlines()
    assert first == "sentinel: sentinel.toml: No such file or directory"
    assert any("sentinel run --upstream" in line for line in steps)
    # What it says to save is right.
    written = [line.removeprefix("  ") for line in steps[next(i for i, s in enumerate(steps) if "[[upstream]]" in s) :]]
    (tmp_path / "sentinel.toml").write_text("\n".join(written))
    assert sentinel("check").stdout == "sentinel.toml: ok\n"


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
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
