"""A gateway with keys: what is not signed for its place is not loaded, and the reason is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.hotload.configuration import with_one_route
from tests.hotload.failing import config, version
from tests.hotload.operating import ask, command, put, told, wait_for_answer
from tests.support.clients import fetch
from tests.support.clocks import wait_until
from tests.support.gateways import ARTEFACTS, sentinel_run, write_config
from tests.support.upstreams import running_upstream

GUEST = ARTEFACTS / "rust" / "api-key-auth.wasm"


def keyed(target: str) -> str:
    """A configuration whose one guest asks for a key, and must be signed."""
    guests = (
        '[guests]\nverify_keys = ["release.pub"]\n\n[guest.api-key-auth]\nconfig = { keys = { "demo-key" = "demo" } }'
    )
    return with_one_route(server="", guests=guests, target=target, chain='"api-key-auth"')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the keys ``release`` and ``other``, and an unsigned guest."""
    monkeypatch.chdir(tmp_path)
    assert main(["keygen", "release"]) == main(["keygen", "other"]) == 0
    shutil.copy(GUEST, tmp_path / "api-key-auth.wasm")
    return tmp_path


def sign(*arguments: str) -> None:
    assert main(["sign", *arguments]) == 0


def test_a_signed_guest_serves_and_tells_who_signed_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign("api-key-auth.wasm", "--key", "release.key", "--version", "7")
    capsys.readouterr()
    assert main(["inspect", "api-key-auth.wasm", str(GUEST)]) == 0
    told = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines() if line.startswith("signed")]
    assert told[0].startswith("as api-key-auth, version 7, by key ")
    assert told[1] == "no"
    with running_upstream() as upstream:
        file = write_config(folder, keyed(upstream.url), {"api-key-auth": folder / "api-key-auth.wasm"})
        assert main(["check", "--config", str(file)]) == 0
        with sentinel_run(file) as gateway:
            assert fetch(gateway.public, headers={"x-api-key": "demo-key"}).body == b"hello"
            assert fetch(gateway.public).status == 401


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "is not signed"),
        (("--key", "other.key", "--version", "1"), "is signed by the key"),
        (("--key", "release.key", "--version", "1", "--name", "access-log"), "is signed as 'access-log'"),
    ],
)
def test_a_guest_with_a_wrong_signature_answers_503(folder: Path, arguments: tuple[str, ...], reason: str) -> None:
    if arguments:
        sign("api-key-auth.wasm", *arguments)
    with running_upstream() as upstream:
        file = write_config(folder, keyed(upstream.url), {"api-key-auth": folder / "api-key-auth.wasm"})
        with sentinel_run(file) as gateway:
            assert fetch(gateway.public, headers={"x-api-key": "demo-key"}).status == 503
            fault = fetch(gateway.admin, "/readyz").body.decode()
            assert "api-key-auth.wasm" in fault
            assert reason in fault
        assert upstream.requests == []


def test_openssl_can_make_the_keys(folder: Path) -> None:
    for openssl in (
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", "made.key"],
        ["openssl", "pkey", "-in", "made.key", "-pubout", "-out", "release.pub"],
    ):
        subprocess.run(openssl, check=True, capture_output=True)
    sign("api-key-auth.wasm", "--key", "made.key", "--version", "1")
    file = write_config(folder, keyed("http://127.0.0.1:9"), {"api-key-auth": folder / "api-key-auth.wasm"})
    assert main(["check", "--config", str(file)]) == 0


def test_the_command_refuses_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "text.wasm").write_text("text")
    rows = {
        ("keygen", "release"): "release.key: exists",
        ("sign", "none.wasm", "--key", "release.key", "--version", "1"): "none.wasm: no such file",
        ("sign", "text.wasm", "--key", "release.key", "--version", "1"): "text.wasm: is not WebAssembly",
        ("sign", "api-key-auth.wasm", "--key", "none.key", "--version", "1"): "none.key: No such file",
        ("sign", "api-key-auth.wasm", "--key", "release.pub", "--version", "1"): "release.pub: is no private key",
        ("sign", "api-key-auth.wasm", "--key", "release.key", "--version", "-1"): "--version",
    }
    for arguments, expected in rows.items():
        capsys.readouterr()
        assert main(arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert expected in line
    assert (folder / "api-key-auth.wasm").read_bytes() == GUEST.read_bytes()


def test_a_gateway_without_keys_does_without_the_library() -> None:
    """cryptography takes 30 ms and 8 MiB in each worker."""
    code = "import sys, sentinel_host.cli.run, sentinel_host.gateway.app; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def signed_version(
    folder: Path, name: str, number: int | None, *, as_name: str = "versioned", key: str = "release.key"
) -> bytes:
    """A version of the guest, signed with the key as that number."""
    file = folder / "versioned.wasm"
    file.write_bytes(version(name))
    if number is not None:
        sign(str(file), "--key", key, "--version", str(number), "--name", as_name)
    return file.read_bytes()


def test_while_it_serves_only_signed_versions_come_and_none_goes_down(folder: Path) -> None:
    """Over a restart as well; what is rolled back on purpose may be started with again."""
    text = config(workers=1) + '[guests]\nverify_keys = ["release.pub"]\ncache = "state"\n'
    file = write_config(folder, text, {"versioned": signed_version(folder, "three", 3)})
    with sentinel_run(file) as gateway:
        wait_for_answer(gateway, "three")
        put(gateway, signed_version(folder, "five", 5))
        wait_for_answer(gateway, "five", 6)
        wait_until(lambda: told(gateway)["version"] == 5, "its version to be told")
        whole = signed_version(folder, "nine", 9)
        forged = whole[:-1] + bytes([whole[-1] ^ 1])
        for data, reason in (
            (signed_version(folder, "four", 4), "is version 4, and version 5 has served: a downgrade"),
            (signed_version(folder, "bare", None), "is not signed"),
            (signed_version(folder, "nine", 9, as_name="other"), "is signed as 'other'"),
            (forged, "changed after it was signed"),
        ):
            put(gateway, data)
            line = gateway.wait_for_log(reason)
            assert "versioned.wasm" in line
            assert {ask(gateway)[1] for _ in range(4)} == {b"five"}
        put(gateway, signed_version(folder, "five", 5))
    write_config(folder, text, {"versioned": signed_version(folder, "four", 4)})
    with sentinel_run(file) as gateway:
        assert ask(gateway)[0] == 503
        assert "a downgrade" in gateway.wait_for_log("is not in service")
        put(gateway, signed_version(folder, "six", 6))
        wait_for_answer(gateway, "six")
        put(gateway, signed_version(folder, "seven", 7))
        wait_for_answer(gateway, "seven", 6)
        assert command(gateway, "rollback", "versioned") == 0
        wait_for_answer(gateway, "six", 6)
    write_config(folder, text, {"versioned": signed_version(folder, "six", 6)})
    with sentinel_run(file) as gateway:
        wait_for_answer(gateway, "six")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rollback_holds_over_a_restart_as_long_as_its_key_is_trusted(folder: Path, workers: int) -> None:
    """That the version before is lower is the point; that somebody is not trusted any more goes
    before it.
    """
    text = config(workers=workers) + '[guests]\nverify_keys = ["release.pub", "other.pub"]\ncache = "state"\n'
    one = signed_version(folder, "one", 1, key="other.key")
    file = write_config(folder, text, {"versioned": one})
    with sentinel_run(file) as gateway:
        put(gateway, signed_version(folder, "two", 2))
        wait_for_answer(gateway, "two", 6)
        assert command(gateway, "rollback", "versioned") == 0
    # Another gateway with the same cache went on with the second version.
    (known,) = (folder / "state").glob("versions-*.json")
    known.write_text('{"versioned": 2}')
    with sentinel_run(file) as gateway:
        assert {ask(gateway)[1] for _ in range(8)} == {b"one"}
        assert told(gateway)["version"] == 1
        gateway.wait_for_log("is not tried again until its file changes")
    write_config(folder, text.replace(', "other.pub"', ""))
    with sentinel_run(file) as gateway:
        assert "is signed by the key" in gateway.wait_for_log("and is tried again: the version before cannot be loaded")
        assert {ask(gateway)[1] for _ in range(8)} == {b"two"}


def test_gateways_of_one_user_do_not_bar_each_others_versions(folder: Path) -> None:
    """One refused version 1 because another had served version 3 of a guest of that name: they
    belong to one user, and share his cache.
    """
    text = config(workers=1) + f'[guests]\nverify_keys = ["{folder}/release.pub"]\ncache = "{folder}/state"\n'
    first, second = folder / "first", folder / "second"
    three, one = (signed_version(folder, name, number) for name, number in (("three", 3), ("one", 1)))
    with (
        sentinel_run(write_config(first, text, {"versioned": three})) as gateway,
        sentinel_run(write_config(second, text, {"versioned": one})) as other,
    ):
        wait_for_answer(gateway, "three")
        wait_for_answer(other, "one")
    # By whichever name a configuration goes, what has served has; and a release that is put into
    # place by changing a link has another real path.
    link = folder / "link"
    link.symlink_to("first")
    for name, number, expected in (("two", 2, 503), ("four", 4, 200)):
        write_config(first, text, {"versioned": signed_version(folder, name, number)})
        with sentinel_run(link / "sentinel.toml") as gateway:
            assert ask(gateway)[0] == expected
    third = folder / "third"
    link.unlink()
    link.symlink_to("third")
    write_config(third, text, {"versioned": three})
    with sentinel_run(link / "sentinel.toml") as gateway:
        assert ask(gateway)[0] == 503
