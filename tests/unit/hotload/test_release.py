"""What becomes of a new version: it serves, is a canary, is taken back, and is not tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel_host.config import CanaryConfig, GuestConfig, RevertConfig, Seconds
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.held import Held
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement
from sentinel_host.hotload.release import Releases
from sentinel_host.hotload.versions import Versions
from sentinel_host.sandbox import CompiledGuest
from tests.support.loops import run_jumping


def offer(number: int) -> Offer:
    """Version ``number`` of the guest, signed as that."""
    compiled = CompiledGuest(
        sha256=f"{number:064x}", size=1, is_component=False, language=None, sdk=None, self_test=b"", code=b""
    )
    return Offer("g", "g.wasm", compiled, number, "key")


class Crew:
    """Does what it is told, unless it is told to refuse."""

    def __init__(self, serving: Offer | None = None, **settings: Any) -> None:
        self.placements: list[Placement] = []
        self.refuses: str | None = None
        # Whether a configuration waits for the guest, and what has been tried with it.
        self.waiting = False
        self.tried: list[dict[str, Offer]] = []
        self.failures: list[str] = []
        self.reconfigured: Callable[[Mapping[str, Offer]], Awaitable[None]] | None = None
        self._serving = {"g": serving} if serving is not None else {}
        self._settings = GuestConfig(**settings)

    def wants(self, name: str) -> bool:
        return name == "g"

    def serving(self) -> dict[str, Offer]:
        return self._serving

    def settings(self, name: str) -> GuestConfig:
        return self._settings

    async def place(self, placement: Placement) -> str | None:
        if self.refuses is not None:
            return self.refuses
        self.placements.append(placement)
        self._serving = {"g": placement.serving}
        return None

    def failed(self, name: str, reason: str) -> None:
        self.failures.append(reason)

    async def reconfigure(self, refused: Mapping[str, Offer]) -> dict[str, Offer] | None:
        self.tried.append(dict(refused))
        if self.reconfigured is not None:
            return await self.reconfigured(refused)
        if self.waiting and self.refuses is not None and "g" in refused:
            # The pair serves.
            before, self._serving = self._serving, dict(refused)
            self.waiting, self.refuses = False, None
            return before
        return None if self.waiting else {}

    def waits_for(self, name: str) -> bool:
        return self.waiting

    @property
    def now(self) -> tuple[int | None, int | None]:
        """The versions that serve, and that are a canary."""
        last = self.placements[-1]
        return last.serving.version, last.candidate.version if last.candidate is not None else None


def begin(crew: Crew) -> Releases:
    releases = Releases()
    releases.crew = crew
    return releases


def held(directory: Path) -> Held:
    """What is kept there; files hold the numbers of their versions."""

    async def restore(name: str, data: bytes) -> Offer:
        return filed(int(data))

    return Held(directory, directory / "guests", restore)


def filed(number: int) -> Offer:
    """A version with its file."""
    return msgspec.structs.replace(offer(number), data=b"%d" % number)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def until_idle() -> None:
    """Everything that was begun has been done: nothing here waits for anything but its turn."""
    for _ in range(10):
        await asyncio.sleep(0)


def canary(seconds: float = 600) -> CanaryConfig:
    return CanaryConfig(weight=5, time=Seconds(seconds))


def test_a_first_version_serves_and_is_not_on_trial() -> None:
    async def scenario() -> None:
        crew = Crew()
        releases = begin(crew)
        await releases.load(offer(1))
        assert crew.placements == [Placement(offer(1))]
        with pytest.raises(GuestLoadError, match="no version to go back to"):
            await releases.rollback("g")
        with pytest.raises(GuestLoadError, match="no version to promote"):
            await releases.promote("g")

    run(scenario())


def test_a_version_that_fails_is_taken_back_and_not_tried_again_until_its_file_changes() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1))
        releases = begin(crew)
        await releases.load(offer(2))
        assert crew.placements[-1] == Placement(offer(2), on_trial=offer(2).guest.sha256)
        # Of a version that does not serve any more.
        releases.tripped("g", offer(1).guest.sha256, "late")
        await until_idle()
        assert crew.now == (2, None)
        releases.tripped("g", offer(2).guest.sha256, "it fails")
        releases.tripped("g", offer(2).guest.sha256, "another worker says so, too")
        await until_idle()
        assert crew.now == (1, None)
        assert releases.view("g").taken_back == offer(2)
        await releases.load(offer(2))
        assert crew.now == (1, None)
        await releases.load(offer(3))
        assert crew.now == (3, None)
        assert releases.view("g").taken_back is None

    run(scenario())


def test_a_trial_ends() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1), revert=RevertConfig(time=Seconds(600)))
        releases = begin(crew)
        await releases.load(offer(2))
        await asyncio.sleep(599)
        assert crew.placements[-1] != Placement(offer(2))
        await asyncio.sleep(2)
        assert crew.placements[-1] == Placement(offer(2))
        assert await releases.rollback("g")

    run_jumping(scenario())


def test_everything_is_replaced_by_what_is_in_the_folder_but_for_what_was_taken_back() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1))
        releases = begin(crew)
        await releases.load(offer(2))
        await releases.rollback("g")
        assert releases.settle({"g": offer(2), "other": offer(7)}) == {"g": offer(1), "other": offer(7)}
        before = crew.serving()
        found = releases.settle({"g": offer(3)})
        assert found == {"g": offer(3)}
        releases.crew = crew = Crew(offer(3))
        await releases.replaced(before)
        assert releases.view("g").previous == offer(1)
        assert releases.view("g").taken_back is None
        await releases.close()

    run(scenario())


def test_a_rollback_can_be_undone_by_promotion() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1))
        releases = begin(crew)
        await releases.load(offer(2))
        assert "serves" in await releases.rollback("g")
        assert crew.now == (1, None)
        with pytest.raises(GuestLoadError, match="no version to go back to"):
            await releases.rollback("g")
        await releases.promote("g")
        assert crew.now == (2, None)
        assert releases.view("g").previous == offer(1)

    run(scenario())


def test_what_cannot_be_done_changes_nothing() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1))
        releases = begin(crew)
        await releases.load(offer(2))
        before = releases.view("g")
        crew.refuses = "does not start"
        with pytest.raises(GuestLoadError, match="does not start"):
            await releases.rollback("g")
        releases.tripped("g", offer(2).guest.sha256, "it fails")
        await until_idle()
        await releases.load(offer(3))
        assert releases.view("g") == before
        crew.refuses = None
        await releases.rollback("g")
        assert crew.now == (1, None)

    run(scenario())


def test_a_canary_is_promoted_by_hand() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1), canary=canary())
        releases = begin(crew)
        await releases.load(offer(2))
        assert crew.placements[-1] == Placement(offer(1), offer(2), 5, offer(2).guest.sha256)
        await releases.load(offer(2))
        assert len(crew.placements) == 1
        await releases.promote("g")
        assert crew.now == (2, None)
        assert releases.view("g").previous == offer(1)
        await releases.close()

    run(scenario())


@pytest.mark.parametrize("how", ["it fails", "by hand", "its file goes back"])
def test_a_canary_ends_and_what_served_serves_on(how: str) -> None:
    async def scenario() -> None:
        crew = Crew(offer(1), canary=canary())
        releases = begin(crew)
        await releases.load(offer(2))
        if how == "it fails":
            releases.tripped("g", offer(2).guest.sha256, "it fails")
            await until_idle()
        elif how == "by hand":
            await releases.rollback("g")
        else:
            await releases.load(offer(1))
        assert crew.now == (1, None)
        view = releases.view("g")
        assert view.candidate is None
        assert view.taken_back == (None if how == "its file goes back" else offer(2))
        await releases.close()

    run(scenario())


def test_a_newer_canary_takes_the_place_of_an_older() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1), canary=canary())
        releases = begin(crew)
        await releases.load(offer(2))
        await releases.load(offer(3))
        assert crew.now == (1, 3)
        await releases.close()

    run(scenario())


def test_a_canary_without_failures_is_promoted_in_time_and_one_with_failures_later() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1), canary=canary(600))
        releases = begin(crew)
        await releases.load(offer(2))
        await asyncio.sleep(300)
        releases.faltered("g", offer(2).guest.sha256)
        await asyncio.sleep(599)
        releases.faltered("g", offer(1).guest.sha256)
        assert crew.now == (1, 2)
        await asyncio.sleep(2)
        assert crew.now == (2, None)
        await releases.close()

    run_jumping(scenario())


def test_versions_count_once_they_serve_everything_and_not_after_a_rollback() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1), canary=canary())
        releases = begin(crew)
        releases.versions = versions = Versions()
        await releases.note_versions()
        assert versions.highest("g") == 1
        await releases.load(offer(2))
        assert versions.highest("g") == 1
        await releases.promote("g")
        assert versions.highest("g") == 2
        await releases.rollback("g")
        assert versions.highest("g") == 1
        await releases.close()

    run(scenario())


@pytest.mark.parametrize("when", ["at the start", "once its file comes"])
def test_what_was_taken_back_stays_so_for_the_next_process(tmp_path: Path, when: str) -> None:
    async def scenario() -> None:
        releases = begin(Crew(filed(1)))
        releases.held = held(tmp_path)
        await releases.load(filed(2))
        await releases.rollback("g")
        await releases.close()
        # The next process.
        crew, releases = Crew(), Releases()
        if when == "at the start":
            found = await releases.recall({"g": filed(2), "other": filed(7)}, held(tmp_path))
            assert found == {"g": filed(1), "other": filed(7)}
            crew = Crew(found["g"])
        releases.crew, releases.held = crew, held(tmp_path)
        await releases.started()
        await releases.load(filed(2))
        assert crew.serving() == {"g": filed(1)}
        assert releases.view("g").taken_back == filed(2)
        # Where something serves, what is in the folder is for `settle`.
        assert await releases.recall({"g": filed(2)}, held(tmp_path)) == {"g": filed(2)}
        await releases.load(filed(3))
        assert crew.now == (3, None)
        assert releases.view("g").taken_back is None
        await releases.close()

    run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_a_version_before_that_does_not_start_any_more_makes_way(tmp_path: Path) -> None:
    class Picky(Crew):
        async def place(self, placement: Placement) -> str | None:
            return "does not start" if placement.serving == filed(1) else await super().place(placement)

    async def scenario() -> None:
        await held(tmp_path).keep(filed(2), filed(1), "rolled back")
        releases = Releases()
        releases.held = held(tmp_path)
        found = await releases.recall({"g": filed(2)}, releases.held)
        releases.crew = crew = Picky(found["g"])
        await releases.started()
        assert crew.placements == [Placement(filed(2))]
        assert releases.view("g").taken_back is None

    run(scenario())


def test_a_version_that_is_refused_is_tried_with_the_configuration_that_waits() -> None:
    async def scenario() -> None:
        crew = Crew(offer(1))
        releases = begin(crew)
        crew.waiting, crew.refuses = True, "as it is configured"
        await releases.reconfigure()
        await releases.load(offer(2))
        await until_idle()
        assert crew.tried == [{}, {"g": offer(2)}]
        assert crew.serving() == {"g": offer(2)}
        assert releases.view("g").previous == offer(1)
        # It serves, and is not tried again.
        await releases.reconfigure()
        assert crew.tried[2:] == [{}]
        await releases.close()

    run(scenario())


@pytest.mark.parametrize("changed", ["its file", "nothing", "its file is gone"])
def test_a_version_that_is_refused_is_tried_again_with_the_next_configuration(changed: str) -> None:
    async def scenario() -> None:
        crew = Crew(offer(1))
        releases = begin(crew)
        crew.refuses = "as it is configured"
        await releases.load(offer(2))
        if changed == "its file":
            await releases.load(offer(3))
        elif changed == "its file is gone":
            releases.failed("g", "no such file")
            assert crew.failures == ["no such file"]
        crew.refuses = None
        await releases.reconfigure()
        expected = {"its file": 3, "nothing": 2, "its file is gone": 1}[changed]
        assert crew.serving()["g"].version == expected
        await releases.close()

    run(scenario())


def test_configurations_are_read_and_served_one_after_the_other() -> None:
    """What was read first was served last, when the second was served while the first was still being prepared."""

    async def scenario() -> None:
        crew = Crew(offer(1))
        releases = begin(crew)
        under_way: list[int] = []
        go_on = asyncio.Event()

        async def reconfigure(refused: Mapping[str, Offer]) -> None:
            under_way.append(len(under_way))
            await go_on.wait()

        crew.reconfigured = reconfigure
        both = [asyncio.create_task(releases.reconfigure()) for _ in range(2)]
        await until_idle()
        assert under_way == [0]
        go_on.set()
        await asyncio.gather(*both)
        assert under_way == [0, 1]
        await releases.close()

    run(scenario())
