"""Guests that are named without a file: the package has them, unless the folder does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.hotload.failing import config, version
from tests.hotload.operating import ask, command, put, told, wait_for_answer
from tests.hotload.versions import starts, wait_until
from tests.support.gateways import sentinel_run, write_config

KEYS = '[guests]\nverify_keys = ["release.pub"]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is on Python's path, with the package ``sentinel-guests``: one guest, which
    says ``standard``.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sentinel_guests" / "wasm").mkdir(parents=True)
    (tmp_path / "sentinel_guests" / "__init__.py").write_text('raise AssertionError("no code of the package runs")\n')
    provide("standard")
    return tmp_path


def provide(says: str) -> None:
    """Install a version of the package whose guest says this."""
    Path("sentinel_guests/wasm/versioned.wasm").write_bytes(version(says))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_in_the_folder_wins_and_the_package_has_the_rest(folder: Path, workers: int) -> None:
    with sentinel_run(write_config(folder, config(workers=workers))) as gateway:
        assert ask(gateway) == (200, b"standard")
        put(gateway, version("own"))
        wait_for_answer(gateway, "own", 6)
        (folder / "guests" / "versioned.wasm").unlink()
        wait_for_answer(gateway, "standard", 6)
    # A file that cannot be loaded is not passed over.
    file = write_config(folder, config(workers=workers), {"versioned": b"text"})
    with sentinel_run(file) as gateway:
        assert ask(gateway)[0] == 503
        assert "guests/versioned.wasm: is not WebAssembly" in gateway.wait_for_log("is not in service")


def test_a_link_that_leads_nowhere_is_a_file_in_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder, config())
    Path("guests/versioned.wasm").symlink_to("gone.wasm")
    assert main(["check"]) == 1
    assert "guests/versioned.wasm: no such file\n" in capsys.readouterr().err


def test_a_newer_package_serves_after_sighup(folder: Path) -> None:
    with sentinel_run(write_config(folder, config(workers=2))) as gateway:
        assert ask(gateway) == (200, b"standard")
        provide("newer")
        gateway.process.send_signal(1)
        wait_for_answer(gateway, "newer", 6)
        wait_until(lambda: starts(gateway) >= 2, "every worker's line")


def test_what_is_nowhere_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder, config())
    Path("sentinel_guests/wasm/versioned.wasm").unlink()
    assert main(["check"]) == 1
    assert "no such file, and sentinel-guests has no standard guest of this name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("signed_by", "trust", "expected"),
    [
        (
            None,
            False,
            "has verify_keys; it is a standard guest, and guests.trust_standard is false",
        ),
        ("other", False, "is signed by the key"),
        ("release", False, "wasm/versioned.wasm, signed by the key "),
        ("release", True, "wasm/versioned.wasm, signed by the key "),
        (None, True, "wasm/versioned.wasm, trusted by guests.trust_standard\n"),
        ("other", True, "wasm/versioned.wasm, trusted by guests.trust_standard\n"),
    ],
)
def test_with_keys_a_signature_or_trust_lets_a_standard_guest_serve(
    folder: Path, capsys: pytest.CaptureFixture[str], signed_by: str | None, trust: bool, expected: str
) -> None:
    assert main(["keygen", "release"]) == main(["keygen", "other"]) == 0
    if signed_by is not None:
        file = "sentinel_guests/wasm/versioned.wasm"
        assert main(["sign", file, "--key", f"{signed_by}.key", "--version", "3"]) == 0
    write_config(folder, config() + KEYS + f"trust_standard = {str(trust).lower()}\n")
    capsys.readouterr()
    serves = trust or signed_by == "release"
    assert main(["check"]) == (0 if serves else 1)
    said = capsys.readouterr()
    assert expected in (said.out if serves else said.err)


def test_check_names_the_file_of_a_standard_guest_and_not_of_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(folder, config())
    assert main(["check"]) == 0
    assert (
        f"versioned: ok, the standard guest {folder}/sentinel_guests/wasm/versioned.wasm\n" in capsys.readouterr().out
    )
    write_config(folder, config(), {"versioned": version("own")})
    assert main(["check"]) == 0
    assert "versioned: ok\n" in capsys.readouterr().out


def test_trust_is_for_the_package_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of the same name in the folder must be signed, however much the package is trusted."""
    assert main(["keygen", "release"]) == 0
    write_config(folder, config() + KEYS + "trust_standard = true\n", {"versioned": version("own")})
    assert main(["check"]) == 1
    assert "guests/versioned.wasm: is not signed, and the configuration has verify_keys\n" in capsys.readouterr().err


def test_a_rollback_to_a_trusted_standard_guest_holds_over_a_restart(folder: Path) -> None:
    assert main(["keygen", "release"]) == 0
    text = config() + KEYS + 'trust_standard = true\ncache = "state"\n'
    with sentinel_run(write_config(folder, text)) as gateway:
        file = folder / "own.wasm"
        file.write_bytes(version("own"))
        assert main(["sign", str(file), "--key", "release.key", "--version", "1", "--name", "versioned"]) == 0
        put(gateway, file.read_bytes())
        wait_for_answer(gateway, "own")
        assert command(gateway, "rollback", "versioned") == 0
        wait_for_answer(gateway, "standard")
    with sentinel_run(folder / "sentinel.toml") as gateway:
        gateway.wait_for_log("is not tried again until its file changes")
        assert ask(gateway) == (200, b"standard")
        assert told(gateway)["version"] is None
    # Distrusted since, it serves no more.
    write_config(folder, text.replace("trust_standard = true", "trust_standard = false"))
    with sentinel_run(folder / "sentinel.toml") as gateway:
        assert "is not signed" in gateway.wait_for_log("and is tried again: the version before cannot be loaded")
        assert ask(gateway) == (200, b"own")
