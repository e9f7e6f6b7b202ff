"""The guests of a running gateway: JSON on the admin side, a table of the command, and neither
without the token.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.hotload.conftest import Start
from tests.hotload.failing import ALWAYS, TOKEN, config, digest, version
from tests.hotload.operating import admin, ask, command, put, told, wait_for_answer, wait_for_digest
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, sentinel_run, write_config
from tests.wat import index

workers = pytest.mark.parametrize("count", [1, 2])


@workers
def test_all_but_health_and_metrics_need_the_token(start: Start, count: int) -> None:
    gateway = start(config(workers=count), version("one"))
    for path in ("/healthz", "/readyz", "/metrics"):
        assert admin(gateway, path, token=None).status == 200
    for token in (None, "", "wrong", TOKEN[:-1], TOKEN + "x", "ä" * 16):
        headers = {} if token is None else {"authorization": f"Bearer {token}".encode().decode("latin-1")}
        for method, path in (
            ("GET", "/guests"),
            ("POST", "/guests/versioned/rollback"),
            ("POST", "/guests/versioned/promote"),
            ("GET", "/none"),
            ("GET", "/healthz/"),
        ):
            answer = fetch(gateway.admin, path, method=method, headers=headers)
            assert answer.status == 401
            assert answer.header("www-authenticate") == 'Bearer realm="sentinel admin"'
    assert fetch(gateway.admin, "/guests", headers={"authorization": f"Basic {TOKEN}"}).status == 401
    assert fetch(gateway.admin, "/guests", headers={"authorization": f"bearer {TOKEN}"}).status == 200
    assert admin(gateway, "/none").status == 404
    assert admin(gateway, "/guests/versioned/rollback").status == 405
    # Nothing of it is on the public side.
    assert fetch(gateway.public, "/guests", headers={"authorization": f"Bearer {TOKEN}"}).body == b"one"


@workers
def test_what_is_told_of_a_guest(start: Start, count: int) -> None:
    data = version("one")
    gateway = start(config("grants = ['clock']", workers=count), data)
    for _ in range(3):
        ask(gateway)
    wait_until(lambda: told(gateway)["calls"] == 3, "three calls")
    guest = dict(told(gateway))
    assert guest.pop("since").startswith("20")
    resources = guest.pop("resources")
    assert resources["cpu_seconds"] > 0
    assert resources["instances"] >= count
    assert {name: resources[name] for name in ("traps", "deadlines", "refused", "failed_loads")} == {
        "traps": 0,
        "deadlines": 0,
        "refused": 0,
        "failed_loads": 0,
    }
    assert guest == {
        "schema": None,
        "name": "versioned",
        "state": "serving",
        "version": None,
        "sha256": digest(data),
        "size": len(data),
        "language": None,
        "sdk": None,
        "hooks": ["on-request"],
        "grants": ["clock"],
        "calls": 3,
        "failures": 0,
        "last_error": "",
        "previous": None,
        "rolled_back": None,
        "canary": None,
        "workers": [
            {"worker": number, "state": "serving", "sha256": digest(data), "canary": None} for number in range(count)
        ],
    }


@workers
def test_the_last_error_is_that_of_a_call_or_of_a_load(start: Start, count: int) -> None:
    """Traps once were counted and not told; only loads were."""

    def failed(text: str, failures: int) -> bool:
        guest = told(gateway)
        return text in guest["last_error"] and guest["failures"] == failures

    gateway = start(config("revert = false", workers=count), version("one", ALWAYS))
    assert ask(gateway)[0] == 503
    wait_until(lambda: failed("on-request: wasm `unreachable` instruction executed", 1), "the trap")
    put(gateway, b"not a guest")
    wait_until(lambda: failed("is not WebAssembly", 1), "the load that failed")
    assert ask(gateway)[0] == 503
    wait_until(lambda: failed("on-request: wasm `unreachable` instruction executed", 2), "the second trap")
    # Looked at, and not asked for: a request that the version before got would fail, too.
    two = version("two")
    put(gateway, two)
    wait_for_digest(gateway, two)
    assert told(gateway)["last_error"] == ""
    assert [ask(gateway) for _ in range(8)] == [(200, b"two")] * 8
    assert told(gateway)["failures"] == 2


def test_a_version_that_does_not_start_is_no_call_that_failed(start: Start) -> None:
    """A refused configuration once was a failure of the guest that serves, and an answer that
    breaks the contract.
    """
    gateway = start(config(workers=2), version("one"))
    refuses = (ARTEFACTS / "rust" / "api-key-auth.wasm").read_bytes()
    for data, reason in (
        (refuses, "guest.versioned.config: missing key 'keys'"),
        (index.wasm("hostile/start_traps"), "start: wasm `unreachable`"),
        # Its deadline is exceeded, or it fell behind in a worker that did other things.
        (index.wasm("hostile/configure_loops"), "configure: d"),
    ):
        put(gateway, data)
        wait_until(lambda reason=reason: reason in told(gateway)["last_error"], reason)
    assert told(gateway)["failures"] == 0
    for family in ("traps", "deadlines", "protocol_errors"):
        assert gateway.metric(f'sentinel_guest_{family}_total{{guest="versioned"}}') == 0
    assert gateway.metric('sentinel_guest_failed_loads_total{guest="versioned"}') >= 3


@workers
def test_rollback_and_promotion(start: Start, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = version("one"), version("two")
    gateway = start(config(workers=count), one)
    assert admin(gateway, "/guests/versioned/rollback", "POST").json() == {
        "error": "guest versioned: there is no version to go back to"
    }
    assert admin(gateway, "/guests/other/rollback", "POST").status == 404
    assert admin(gateway, "/guests/versioned/promote", "POST").status == 409
    put(gateway, two)
    wait_for_answer(gateway, "two", 8)
    # Known once every worker has the new one; the answers could all be one worker's.
    wait_until(lambda: told(gateway)["previous"] == digest(one), "the version before to be known")
    assert admin(gateway, "/guests/versioned/rollback", "POST").status == 200
    assert {ask(gateway)[1] for _ in range(8)} == {b"one"}
    assert told(gateway)["rolled_back"] == digest(two)
    # The same file once more is no new version.
    put(gateway, two)
    gateway.wait_for_log("is not tried again until its file changes")
    assert {ask(gateway)[1] for _ in range(8)} == {b"one"}
    capsys.readouterr()
    assert command(gateway, "promote", "versioned") == 0
    assert capsys.readouterr().out == f"guest versioned: {digest(two)[:12]} serves\n"
    assert {ask(gateway)[1] for _ in range(8)} == {b"two"}
    assert command(gateway, "rollback", "versioned") == 0
    assert {ask(gateway)[1] for _ in range(8)} == {b"one"}
    capsys.readouterr()
    assert command(gateway, "rollback", "versioned") == 1
    assert capsys.readouterr().err == "sentinel: guest versioned: there is no version to go back to\n"


def test_the_command_shows_a_table(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    one = version("one", ALWAYS)
    gateway = start(config(), one)
    assert ask(gateway)[0] == 503
    put(gateway, b"not a guest")
    gateway.wait_for_log("was not replaced")
    capsys.readouterr()
    assert command(gateway, "guests") == 0
    header, row, remark = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "NAME", "STATE", "VERSION", "HASH", "LANGUAGE", "HOOKS", "GRANTS", "SINCE", "CALLS", "FAILURES",
    ]  # fmt: skip
    cells = row.split()
    assert cells[:4] == ["versioned", "serving", "-", digest(one)[:12]]
    assert cells[5] == "on-request"
    assert cells[-2:] == ["1", "1"]
    assert remark.startswith("    last error: ")
    assert "is not WebAssembly" in remark
    assert command(gateway, "guests", "--json") == 0
    assert json.loads(capsys.readouterr().out) == admin(gateway, "/guests").json()


def test_secrets_of_configurations_are_not_told(start: Start) -> None:
    text = config().replace("config = {}", 'config = { key = "hush-hush" }')
    gateway = start(text, version("one"))
    # This guest exports no configure, so that the configuration is what its error is about.
    assert told(gateway)["state"] == "missing"
    for path in ("/guests", "/readyz", "/metrics"):
        assert b"hush-hush" not in admin(gateway, path).body
        assert TOKEN.encode() not in admin(gateway, path).body
    assert "hush-hush" not in "".join(gateway.log)


def test_a_token_is_made_for_the_owner_alone_and_found_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config().replace(f'admin_token = "{TOKEN}"', "") + '[guests]\ncache = "state"\n'
    with sentinel_run(write_config(tmp_path, text, {"versioned": version("one")})) as gateway:
        (file,) = (tmp_path / "state").glob("admin-token-*")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert admin(gateway, "/guests", token=file.read_text()).status == 200
        assert admin(gateway, "/guests").status == 401
        assert command(gateway, "guests") == 0
        assert file.read_text() not in "".join(gateway.log)
        file.chmod(0o640)
        capsys.readouterr()
        assert command(gateway, "guests") == 1
        assert "is not a file of this user alone" in capsys.readouterr().err
        monkeypatch.setenv("SENTINEL_ADMIN_TOKEN", file.read_text())
        assert command(gateway, "guests") == 0
        monkeypatch.setenv("SENTINEL_ADMIN_TOKEN", "x" * 20)
        capsys.readouterr()
        assert command(gateway, "guests") == 1
        assert "401" in capsys.readouterr().err


def test_gateways_of_one_user_have_tokens_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may operate one could operate all. The command finds the token by whichever path the
    file is named.
    """
    state = tmp_path / "state"
    text = config().replace(f'admin_token = "{TOKEN}"', "") + f'[guests]\ncache = "{state}"\n'
    files = [write_config(tmp_path / name, text, {"versioned": version("one")}) for name in ("first", "second")]
    link = tmp_path / "linked.toml"
    link.symlink_to(files[0])
    with sentinel_run(files[0]) as first, sentinel_run(files[1]) as second:
        tokens = [file.read_text() for file in state.glob("admin-token-*")]
        assert len(set(tokens)) == 2
        assert sorted(admin(first, "/guests", token=token).status for token in tokens) == [200, 401]
        assert sorted(admin(second, "/guests", token=token).status for token in tokens) == [200, 401]
        monkeypatch.chdir(tmp_path)
        named = [(first, str(files[0])), (first, "first/sentinel.toml"), (first, str(link)), (second, str(files[1]))]
        for gateway, file in named:
            host, port = gateway.admin
            assert main(["guests", "--config", file, "--admin", f"{host}:{port}"]) == 0
        assert main(["guests", "--config", str(files[1]), "--admin", f"{first.admin[0]}:{first.admin[1]}"]) == 1
        assert "401" in capsys.readouterr().err


@workers
def test_another_token_needs_a_restart_and_is_not_shown(start: Start, count: int) -> None:
    gateway = start(config(workers=count), version("one"))
    file = gateway.folder / "sentinel.toml"
    fresh = gateway.folder / "sentinel.new"
    fresh.write_text(file.read_text().replace(TOKEN, "x" * 20))
    fresh.rename(file)
    line = gateway.wait_for_log("server.admin_token has changed, which takes effect with a restart")
    assert "xxx" not in line
    assert admin(gateway, "/guests").status == 200
    assert admin(gateway, "/guests", token="x" * 20).status == 401


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig"])
def test_a_token_in_a_file(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "secret").write_text(f"{TOKEN}\n", encoding=encoding)
    text = config().replace(f'admin_token = "{TOKEN}"', 'admin_token_file = "secret"')
    with sentinel_run(write_config(tmp_path, text, {"versioned": version("one")})) as gateway:
        assert admin(gateway, "/guests").status == 200
        assert command(gateway, "guests") == 0


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ('admin_token = "short"', "server.admin_token: expected 16 to 512 visible ASCII characters"),
        ('admin_token_file = "none"', "none: No such file or directory"),
        (f'admin_token = "{TOKEN}"\nadmin_token_file = "none"', "there is an admin_token already"),
    ],
)
def test_a_token_that_is_none_is_refused_at_the_start(tmp_path: Path, setting: str, reason: str) -> None:
    text = config().replace(f'admin_token = "{TOKEN}"', setting)
    with (
        pytest.raises(AssertionError, match=reason),
        sentinel_run(write_config(tmp_path, text, {"versioned": version("one")})),
    ):
        pass


def test_a_gateway_that_does_not_run_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(write_config(tmp_path, config()))
    for arguments in (["guests"], ["rollback", "x"], ["promote", "x"]):
        assert main([*arguments, "--config", file, "--admin", "127.0.0.1:1"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("sentinel: no answer from the admin side at 127.0.0.1:1: ")
    assert os.listdir(tmp_path / "guests") == []
