from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from sentinel_host.authoring.cache import cache_directory, cache_folder, locked


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("/var/cache/x", "/var/cache/x/sentinel"), ("", "/home/u/.cache/sentinel"), ("rel", "/home/u/.cache/sentinel")],
)
def test_cache_directory(monkeypatch: pytest.MonkeyPatch, variable: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert cache_directory() == Path(expected)


def test_lock_excludes_others_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with locked(path), path.open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_cache_is_its_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a build had made first was refused by the gateway, which compiled every guest at
    every start.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "by-a-folder"))
    cache_folder("sdk")
    assert cache_directory().stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "by-a-lock"))
    with locked(cache_directory() / "lock"):
        assert cache_directory().stat().st_mode & 0o777 == 0o700
