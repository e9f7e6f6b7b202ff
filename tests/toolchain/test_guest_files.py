from __future__ import annotations

import json
from pathlib import Path

import pytest

from guestbuild import components
from guestbuild.command_line import main
from guestbuild.rust_guests import module_names


def test_a_guest_with_the_same_bytes_is_left_alone(tmp_path: Path) -> None:
    destination = tmp_path / "guests" / "auth.wasm"
    reports = []
    for content in (b"one", b"one", b"two"):
        fresh = tmp_path / "auth.new"
        fresh.write_bytes(content)
        reports.append(components.publish("rust", fresh, destination))
        assert not fresh.exists()
        if len(reports) == 1:
            inode = destination.stat().st_ino
    assert [report.rebuilt for report in reports] == [True, False, True]
    assert destination.read_bytes() == b"two"
    assert destination.stat().st_ino != inode
    assert str(reports[1]).split() == ["rust/auth", "3", "B", "unchanged"]


def test_guests_without_sources_are_removed(tmp_path: Path) -> None:
    for name in ("kept.wasm", "gone.wasm", ".inputs.json"):
        (tmp_path / name).write_text("")
    components.remove_others(tmp_path, ["kept.wasm"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".inputs.json", "kept.wasm"]


def test_cdylibs_are_the_guests() -> None:
    packages = [
        {"name": "api-key-auth", "targets": [{"name": "api_key_auth", "crate_types": ["cdylib"]}]},
        {"name": "path-rewrite", "targets": [{"name": "path-rewrite", "crate_types": ["rlib", "cdylib"]}]},
        {"name": "shared", "targets": [{"name": "shared", "crate_types": ["lib"]}]},
    ]
    names = module_names(json.dumps({"packages": packages}))
    assert names == {"api-key-auth": "api_key_auth", "path-rewrite": "path_rewrite"}


def test_a_missing_tool_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["build", "--only", "assemblyscript"]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: node is not installed; ")
    assert shown.err.count("\n") == 1
