"""When a change is reported: once it is whole, and once."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sentinel_host.hotload import inotify, watch
from sentinel_host.hotload.folder import FileState, Folder
from sentinel_host.hotload.watch import HELD_STILL, GuestFiles, OneFile, Source, Watch
from tests.support.clocks import PATIENCE


class Watched:
    """A folder that is watched; ``reports`` are the names, each with what the file held when it was reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[tuple[str, bytes | None]] = []
        self.files = GuestFiles(Folder(folder, 1 << 20))
        self._arrived = asyncio.Event()
        self.watch: Watch
        self.config = OneFile(folder.parent / "sentinel.toml")

    def changed(self, source: Source, name: str) -> None:
        path = self.folder / f"{name}.wasm" if source is self.files else self.folder.parent / name
        self.reports.append((name, path.read_bytes() if path.exists() else None))
        self._arrived.set()

    async def arrival(self, count: int) -> None:
        """Wait until so many reports have come."""
        async with asyncio.timeout(30):
            while len(self.reports) < count:
                self._arrived.clear()
                await self._arrived.wait()

    async def expect(self, *reports: tuple[str, bytes | None]) -> None:
        """Wait until exactly these have come, and see that none follows."""
        await self.arrival(len(reports))
        # Long enough for what is still held back; that nothing comes cannot be observed otherwise.
        await asyncio.sleep(3 * HELD_STILL)
        assert self.reports == list(reports)
        self.reports.clear()


def watching(tmp_path: Path, scenario: Callable[[Watched], Awaitable[None]]) -> None:
    folder = tmp_path / "guests"
    folder.mkdir()
    (folder / "old.wasm").write_bytes(b"old")
    (tmp_path / "sentinel.toml").write_bytes(b"config")

    async def main() -> None:
        watched = Watched(folder)
        watched.watch = watch = Watch([watched.files, watched.config], watched.changed)
        await watch.start()
        try:
            await scenario(watched)
        finally:
            watch.close()

    asyncio.run(main())


def test_what_was_there_is_not_reported(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        await watched.expect()

    watching(tmp_path, scenario)


def test_what_is_renamed_into_place_is_reported_at_once(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        temporary = watched.folder / "new.tmp"
        for content in (b"first", b"second"):
            temporary.write_bytes(content)
            temporary.rename(watched.folder / "old.wasm")
            await watched.expect(("old", content))

    watching(tmp_path, scenario)


def test_what_is_written_in_place_is_reported_once_it_has_held_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine takes for what is a moment here.
    monkeypatch.setattr(watch, "HELD_STILL", 1.0)

    async def scenario(watched: Watched) -> None:
        path = watched.folder / "old.wasm"
        for part in (b"a", b"ab", b"abc"):
            path.write_bytes(part)
            await asyncio.sleep(0.02)
        await watched.expect(("old", b"abc"))

    watching(tmp_path, scenario)


def test_a_writer_that_pauses_is_waited_for_until_he_closes(tmp_path: Path) -> None:
    """A prefix of a module can be a module: a writer may pause for longer than anybody would wait."""

    async def scenario(watched: Watched) -> None:
        file = os.open(watched.folder / "slow.wasm", os.O_WRONLY | os.O_CREAT)
        for _ in range(4):
            os.write(file, b"part ")
            await asyncio.sleep(2 * HELD_STILL)
        assert watched.reports == []
        os.close(file)
        await watched.expect(("slow", b"part " * 4))

    watching(tmp_path, scenario)


def test_a_writer_who_never_closes_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "HELD_OPEN", 0.5)

    async def scenario(watched: Watched) -> None:
        file = os.open(watched.folder / "open.wasm", os.O_WRONLY | os.O_CREAT)
        os.write(file, b"all of it")
        await watched.expect(("open", b"all of it"))
        os.close(file)

    watching(tmp_path, scenario)


def test_a_file_that_goes_and_one_that_comes_back(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        path = watched.folder / "old.wasm"
        path.unlink()
        await watched.expect(("old", None))
        path.write_bytes(b"again")
        await watched.expect(("old", b"again"))
        # Gone and back within a moment is one change, as `cp --remove-destination` makes it.
        path.unlink()
        path.write_bytes(b"and again")
        await watched.expect(("old", b"and again"))

    watching(tmp_path, scenario)


def test_a_file_that_was_only_touched_is_reported_for_its_times(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        os.utime(watched.folder / "old.wasm", (1, 1))
        await watched.expect(("old", b"old"))

    watching(tmp_path, scenario)


def test_other_files_are_nobodys_business(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        (watched.folder / "notes.txt").write_bytes(b"x")
        (watched.folder / "old.wasm.swp").write_bytes(b"x")
        (watched.folder.parent / "other.toml").write_bytes(b"x")
        await watched.expect()

    watching(tmp_path, scenario)


def test_the_configuration_file_is_watched_alike(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        path = watched.folder.parent / "sentinel.toml"
        path.write_bytes(b"other")
        await watched.expect(("sentinel.toml", b"other"))
        (watched.folder.parent / "new").write_bytes(b"renamed")
        (watched.folder.parent / "new").rename(path)
        await watched.expect(("sentinel.toml", b"renamed"))

    watching(tmp_path, scenario)


def test_a_folder_that_is_replaced_is_watched_where_it_was(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        folder = watched.folder
        folder.rename(folder.parent / "before")
        await watched.expect(("old", None))
        fresh = folder.parent / "fresh"
        fresh.mkdir()
        (fresh / "old.wasm").write_bytes(b"from the new folder")
        (fresh / "more.wasm").write_bytes(b"more")
        fresh.rename(folder)
        await watched.arrival(2)
        assert sorted(watched.reports) == [("more", b"more"), ("old", b"from the new folder")]
        watched.reports.clear()
        # And its events are had, not only its state.
        (folder / "x.tmp").write_bytes(b"renamed")
        (folder / "x.tmp").rename(folder / "more.wasm")
        await watched.expect(("more", b"renamed"))
        # What happens in the old one does not matter.
        (folder.parent / "before" / "old.wasm").write_bytes(b"elsewhere")
        await watched.expect()

    watching(tmp_path, scenario)


def test_a_folder_that_was_not_there_is_found(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        shutil.rmtree(watched.folder)
        await watched.expect(("old", None))
        watched.folder.mkdir()
        (watched.folder / "old.wasm").write_bytes(b"back")
        await watched.expect(("old", b"back"))

    watching(tmp_path, scenario)


def test_a_volume_of_kubernetes_changes_as_a_whole(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        folder = watched.folder
        for moment, content in (("..1", b"one"), ("..2", b"two")):
            (folder / moment).mkdir()
            (folder / moment / "vol.wasm").write_bytes(content)
            if moment == "..1":
                (folder / "..data").symlink_to(moment)
                (folder / "vol.wasm").symlink_to("..data/vol.wasm")
            else:
                (folder / "..data_tmp").symlink_to(moment)
                (folder / "..data_tmp").rename(folder / "..data")
            await watched.expect(("vol", content))

    watching(tmp_path, scenario)


def test_without_events_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user has as many instances of inotify as the administrator allows, and somebody may have taken them all."""

    def none_left(self: inotify.Inotify) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(inotify.Inotify, "__init__", none_left)

    async def scenario(watched: Watched) -> None:
        (watched.folder / "old.wasm").write_bytes(b"new")
        await watched.expect(("old", b"new"))

    watching(tmp_path, scenario)


def test_a_look_that_takes_long_holds_up_nobody(tmp_path: Path) -> None:
    """On a network file system a look may take seconds. It was taken on the event loop, where every request waited."""
    begun, answered = threading.Event(), threading.Event()

    class Slow(OneFile):
        def state(self, name: str) -> FileState | None:
            begun.set()
            answered.wait(PATIENCE)
            return super().state(name)

    async def main() -> None:
        watch = Watch([Slow(tmp_path / "slow")], lambda source, name: None)
        start = asyncio.create_task(watch.start())
        try:
            assert await asyncio.to_thread(begun.wait, PATIENCE)
            assert not start.done()
            answered.set()
            await start
        finally:
            watch.close()

    asyncio.run(main())


def test_files_that_go_together_are_reported_once_they_have_held_still(tmp_path: Path) -> None:
    """A certificate is renamed into place before its key: at that moment it is of no use."""

    async def main() -> None:
        reports: list[str] = []
        arrived = asyncio.Event()

        def changed(source: Source, name: str) -> None:
            reports.append((tmp_path / "key").read_text())
            arrived.set()

        for name in ("cert", "key"):
            (tmp_path / name).write_text("old")
        watch = Watch([OneFile(tmp_path / name, go_together=True) for name in ("cert", "key")], changed)
        await watch.start()
        for name in ("cert", "key"):
            (tmp_path / "fresh").write_text("new")
            (tmp_path / "fresh").rename(tmp_path / name)
        async with asyncio.timeout(PATIENCE):
            while len(reports) < 2:
                arrived.clear()
                await arrived.wait()
        assert reports == ["new", "new"]
        watch.close()

    asyncio.run(main())


def test_what_is_watched_may_change_and_directories_may_be_shared(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        other, folder = tmp_path / "other.pem", tmp_path
        sources = [watched.files, watched.config]
        await watched.watch.follow([*sources, OneFile(other), OneFile(folder / "third.pem")])
        await watched.watch.follow([*sources, OneFile(other)])
        other.write_bytes(b"new")
        (folder / "third.pem").write_bytes(b"nobody's business")
        await watched.expect(("other.pem", b"new"))
        # The events of the directory that they had in common are still had.
        (folder / "fresh").write_bytes(b"other")
        (folder / "fresh").rename(folder / "sentinel.toml")
        await watched.expect(("sentinel.toml", b"other"))

    watching(tmp_path, scenario)
