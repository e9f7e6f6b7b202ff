"""Looking up the package of standard guests, wherever Python finds it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.folder import GuestAbsent
from sentinel_host.hotload.standard_guests import StandardGuests

MISSING = GuestAbsent("guests/g.wasm: no such file")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's folder of files, with the guest ``g``, on an otherwise empty path."""
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    files = tmp_path / "sentinel_guests" / "wasm"
    files.mkdir(parents=True)
    (files.parent / "__init__.py").touch()
    (files / "g.wasm").write_bytes(b"guest")
    (files / "other.txt").touch()
    return files


@pytest.fixture
def short_turns() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_guest_is_read_whole(package: Path) -> None:
    guests = StandardGuests(5)
    assert guests.names() == {"g"}
    assert guests.read("g", MISSING) == (str(package / "g.wasm"), b"guest")


def test_installers_may_link_files(package: Path) -> None:
    """uv does, so that a file of an installed package has several names; in the guests' folder that
    is refused.
    """
    (package / "linked.wasm").hardlink_to(package / "g.wasm")
    (package / "soft.wasm").symlink_to(package / "g.wasm")
    assert StandardGuests(5).read("linked", MISSING)[1] == StandardGuests(5).read("soft", MISSING)[1] == b"guest"


def test_a_large_file_is_refused(package: Path) -> None:
    with pytest.raises(GuestLoadError, match=r"g\.wasm: is larger than 4 bytes"):
        StandardGuests(4).read("g", MISSING)


def test_a_file_that_cannot_be_read_is_not_missing(package: Path) -> None:
    (package / "folder.wasm").mkdir()
    with pytest.raises(GuestLoadError, match=r"folder\.wasm: cannot be read: Is a directory") as caught:
        StandardGuests(4).read("folder", MISSING)
    assert not isinstance(caught.value, GuestAbsent)


def test_the_message_says_what_is_missing_where(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GuestAbsent, match=r"^guests/g\.wasm: no such file, and sentinel-guests has no "):
        StandardGuests(5).read("none", MISSING)
    monkeypatch.setattr("sys.path", [])
    assert StandardGuests(5).names() == set()
    with pytest.raises(GuestAbsent, match=r"and the package sentinel-guests, which has the .* is not installed$"):
        StandardGuests(5).read("g", MISSING)


def test_a_package_that_is_installed_later_is_found(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, away = package.parent, package.parent.with_name("away")
    parent.rename(away)
    assert StandardGuests(5).names() == set()
    away.rename(parent)
    assert StandardGuests(5).names() == {"g"}


def test_the_first_folder_of_the_path_that_has_guests_wins(package: Path, tmp_path: Path) -> None:
    """As for a module; a folder of the same name without guests is not the package, and neither is
    what cannot be looked into.
    """
    (tmp_path / "empty" / "sentinel_guests").mkdir(parents=True)
    (tmp_path / "later" / "sentinel_guests" / "wasm").mkdir(parents=True)
    passed_over = ["x" * 300, str(tmp_path / "archive.zip"), str(tmp_path / "empty")]
    sys.path[:] = [*passed_over, *sys.path, str(tmp_path / "later")]
    assert StandardGuests(5).read("g", MISSING) == (str(package / "g.wasm"), b"guest")


def test_guests_are_looked_up_while_python_learns_its_path(package: Path, short_turns: None) -> None:
    """Guests are looked up in threads, and other threads import modules meanwhile."""

    def read(number: int) -> bytes:
        # As an import does for each folder of the path: None stands for one that is not there.
        sys.path_importer_cache.update({f"/none/{number}/{entry}": None for entry in range(500)})
        found = StandardGuests(5).read("g", MISSING)[1]
        for entry in range(500):
            del sys.path_importer_cache[f"/none/{number}/{entry}"]
        return found

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(100))) == [b"guest"] * 100
