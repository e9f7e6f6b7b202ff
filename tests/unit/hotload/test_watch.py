"""When a change is reported: once it is whole, and once."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from sentinel_host.hotload.changes import StillTimes
from sentinel_host.hotload.folder import FileState, Folder
from sentinel_host.hotload.inotify import Inotify
from sentinel_host.hotload.watch import Watch
from sentinel_host.hotload.watch_sources import GuestFiles, OneFile, Source
from tests.support.clocks import PATIENCE

STILL = StillTimes()


class Watched:
    """A folder that is watched; ``reports`` are the names, each with what the file held when it was
    reported.

    The watch goes by ``now``, which only the test moves.
    """

    def __init__(self, folder: Path, open_events: Callable[[], Inotify] = Inotify) -> None:
        self.folder = folder
        self.reports: list[tuple[str, bytes | None]] = []
        self.files = GuestFiles(Folder(folder, 1 << 20))
        self.config = OneFile(folder.parent / "sentinel.toml")
        self.sources: list[Source] = [self.files, self.config]
        self.now = 1000.0
        self.watch = Watch(self.sources, self.changed, clock=lambda: self.now, open_events=open_events)

    def changed(self, source: Source, name: str) -> None:
        path = self.folder / f"{name}.wasm" if source is self.files else self.folder.parent / name
        self.reports.append((name, path.read_bytes() if path.exists() else None))

    async def look(self) -> None:
        """Return once the watch has read every event so far, and reported what there was to
        report.
        """
        async with asyncio.timeout(PATIENCE):
            # An order is taken at the begin of a turn: with the second, the turn of the first is
            # over.
            await self.watch.follow(self.sources)
            await self.watch.follow(self.sources)

    async def pass_time(self, seconds: float) -> None:
        """Have so much time pass after everything that has happened."""
        await self.look()
        self.now += seconds
        await self.look()

    async def expect_at_once(self, *reports: tuple[str, bytes | None]) -> None:
        """These have been reported without any time passing, and nothing else is."""
        await self.look()
        assert self.reports == list(reports)
        await self.pass_time(60)
        assert self.reports == list(reports)
        self.reports.clear()

    async def expect(self, *reports: tuple[str, bytes | None]) -> None:
        """Nothing has been reported; these are after a while, and nothing else ever."""
        await self.pass_time(STILL.closed / 2)
        assert self.reports == []
        await self.pass_time(STILL.closed)
        await self.pass_time(1.0)
        await self.pass_time(STILL.closed)
        assert sorted(self.reports) == sorted(reports)
        await self.pass_time(60)
        assert len(self.reports) == len(reports)
        self.reports.clear()


def watching(
    tmp_path: Path, scenario: Callable[[Watched], Awaitable[None]], open_events: Callable[[], Inotify] = Inotify
) -> None:
    folder = tmp_path / "guests"
    folder.mkdir()
    (folder / "old.wasm").write_bytes(b"old")
    (tmp_path / "sentinel.toml").write_bytes(b"config")

    async def main() -> None:
        watched = Watched(folder, open_events)
        await watched.watch.start()
        try:
            await scenario(watched)
        finally:
            watched.watch.close()

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
            await watched.expect_at_once(("old", content))

    watching(tmp_path, scenario)


def test_what_is_written_in_place_is_reported_once_it_has_held_still(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        path = watched.folder / "old.wasm"
        for part in (b"a", b"ab", b"abc"):
            path.write_bytes(part)
            await watched.pass_time(STILL.closed * 0.8)
            assert watched.reports == []
        await watched.pass_time(STILL.closed)
        assert watched.reports == [("old", b"abc")]

    watching(tmp_path, scenario)


def test_a_writer_that_pauses_is_waited_for_until_he_closes(tmp_path: Path) -> None:
    """A prefix of a module can be a module: a writer may pause for longer than anybody would
    wait.
    """

    async def scenario(watched: Watched) -> None:
        file = os.open(watched.folder / "slow.wasm", os.O_WRONLY | os.O_CREAT)
        for _ in range(4):
            os.write(file, b"part ")
            await watched.pass_time(STILL.open * 0.8)
        assert watched.reports == []
        os.close(file)
        await watched.expect(("slow", b"part " * 4))

    watching(tmp_path, scenario)


def test_a_file_that_its_writer_never_closes_is_served_in_the_end(tmp_path: Path) -> None:
    async def scenario(watched: Watched) -> None:
        file = os.open(watched.folder / "open.wasm", os.O_WRONLY | os.O_CREAT)
        os.write(file, b"all of it")
        await watched.pass_time(STILL.open * 0.9)
        assert watched.reports == []
        await watched.pass_time(STILL.open * 0.2)
        assert watched.reports == [("open", b"all of it")]
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


def test_other_files_are_ignored(tmp_path: Path) -> None:
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
        await watched.expect_at_once(("sentinel.toml", b"renamed"))

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
        await watched.expect(("more", b"more"), ("old", b"from the new folder"))
        # And its events are had, not only its state.
        (folder / "x.tmp").write_bytes(b"renamed")
        (folder / "x.tmp").rename(folder / "more.wasm")
        await watched.expect_at_once(("more", b"renamed"))
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
                await watched.expect_at_once(("vol", content))
                continue
            await watched.expect(("vol", content))

    watching(tmp_path, scenario)


def test_without_events_files_are_looked_at(tmp_path: Path) -> None:
    """A user has as many instances of inotify as the administrator allows, and somebody may have
    taken them all.
    """

    def none_left() -> Inotify:
        raise OSError(24, "Too many open files")

    async def scenario(watched: Watched) -> None:
        (watched.folder / "old.wasm").write_bytes(b"new")
        await watched.expect(("old", b"new"))

    watching(tmp_path, scenario, none_left)


def test_a_slow_scan_does_not_block_the_loop(tmp_path: Path) -> None:
    """On a network file system a look may take seconds. It was taken on the event loop, where every
    request waited.
    """
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
        watched.sources = [*sources, OneFile(other)]
        await watched.watch.follow(watched.sources)
        other.write_bytes(b"new")
        (folder / "third.pem").write_bytes(b"nobody's business")
        await watched.expect(("other.pem", b"new"))
        # The events of the directory that they had in common are still had.
        (folder / "fresh").write_bytes(b"other")
        (folder / "fresh").rename(folder / "sentinel.toml")
        await watched.expect_at_once(("sentinel.toml", b"other"))

    watching(tmp_path, scenario)
