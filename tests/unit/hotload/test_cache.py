"""What is kept on disk is run as code: it is used only if it is ours, whole, and for this
engine.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_host.hotload.cache import Cache, default_directory
from sentinel_host.sandbox import CompiledGuest

DIGEST = "ab" * 32


def compiled(digest: str = DIGEST, code: bytes = b"machine code") -> CompiledGuest:
    return CompiledGuest(digest, 7, True, "Rust 1.90", None, b"", code)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache.open(tmp_path / "cache")
    assert opened is not None
    yield opened
    opened.close()


def entry(cache: Cache) -> Path:
    (only,) = cache.directory.iterdir()
    return only


def test_what_was_kept_is_found(cache: Cache) -> None:
    assert cache.get(DIGEST) is None
    cache.put(compiled())
    assert cache.get(DIGEST) == compiled()
    assert cache.get("cd" * 32) is None


def test_only_the_owner_can_read_and_write_it(cache: Cache) -> None:
    cache.put(compiled())
    assert cache.directory.stat().st_mode & 0o777 == 0o700
    assert entry(cache).stat().st_mode & 0o777 == 0o600


def test_every_changed_byte_is_noticed(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    cache.put(compiled())
    data = entry(cache).read_bytes()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        cache.put(compiled())
        entry(cache).write_bytes(damaged)
        assert cache.get(DIGEST) is None
        # It is gone, and the next that is kept is found.
        assert not list(cache.directory.iterdir())
    assert "it is made anew" in caplog.text


@pytest.mark.parametrize("size", [0, 1, 16, 40, 60])
def test_a_cut_entry_is_none(cache: Cache, size: int) -> None:
    cache.put(compiled())
    os.truncate(entry(cache), size)
    assert cache.get(DIGEST) is None


def test_an_entry_of_another_guest_is_none(cache: Cache) -> None:
    cache.put(compiled("cd" * 32))
    other = entry(cache)
    other.rename(other.with_name(other.name.replace("cd" * 32, DIGEST)))
    assert cache.get(DIGEST) is None


def test_an_entry_of_another_engine_is_not_looked_at(cache: Cache) -> None:
    cache.put(compiled())
    mine = entry(cache)
    stem, _, rest = mine.name.partition("-")
    mine.rename(mine.with_name(f"{stem}-{'0' * len(rest.partition('.')[0])}.guest"))
    assert cache.get(DIGEST) is None
    assert len(list(cache.directory.iterdir())) == 1


def test_an_entry_of_another_format_is_passed_over_without_a_word(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    """After an upgrade every guest was said to be corrupted. The entry stays, for a gateway of that
    format.
    """
    cache.put(compiled())
    stem, _, format_ = entry(cache).name.removesuffix(".guest").rpartition("-")
    other = entry(cache).rename(entry(cache).with_name(f"{stem}-{int(format_) - 1}.guest"))
    other.write_bytes(b"sentinel guest of another format")
    assert cache.get(DIGEST) is None
    cache.put(compiled())
    assert cache.get(DIGEST) == compiled()
    assert other.exists()
    assert caplog.text == ""


def test_an_entry_that_others_may_write_to_is_none(cache: Cache) -> None:
    cache.put(compiled())
    entry(cache).chmod(0o660)
    assert cache.get(DIGEST) is None


def test_a_link_in_place_of_an_entry_is_none(cache: Cache, tmp_path: Path) -> None:
    cache.put(compiled())
    mine = entry(cache)
    elsewhere = mine.rename(tmp_path / "elsewhere")
    mine.symlink_to(elsewhere)
    assert cache.get(DIGEST) is None


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    opened = Cache.open(tmp_path / "cache", max_bytes=5_000)
    assert opened is not None
    for number in range(8):
        opened.put(compiled(f"{number:064}", bytes(1000)))
        # Times of files are coarse.
        for at, name in enumerate(sorted(opened.directory.iterdir())):
            os.utime(name, (at, at))
    assert opened.get(f"{7:064}") is not None
    assert opened.get(f"{0:064}") is None
    assert sum(path.stat().st_size for path in opened.directory.iterdir()) <= 5_000
    opened.close()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_others_can_enter_is_not_used(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    assert Cache.open(tmp_path / "cache") is None
    assert "is not a directory of this user alone" in caplog.text


def test_a_directory_that_cannot_be_made_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert Cache.open(tmp_path / "file" / "cache") is None
    assert Cache.open(None) is None
    assert caplog.text.count("guests are compiled at every start") == 2


def test_a_cache_that_is_gone_keeps_nothing_and_says_so(
    tmp_path: Path, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        cache.directory.rmdir()
        cache.put(compiled())
    assert "was not kept" in caplog.text
    assert cache.get(DIGEST) is None


def test_the_default_is_in_the_users_cache_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "sentinel"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_directory() == tmp_path / "home" / ".cache" / "sentinel"
