"""What becomes of a new version: it serves, is a canary, is rolled back, and is not tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel_host.config import CanaryConfig, GuestConfig, RevertConfig, Seconds
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.executor import ProbationObserver
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.rollbacks import RollbackRecord, RollbackRecords
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.store import RolloutStore
from sentinel_host.hotload.versions import Versions
from sentinel_host.sandbox import CompiledGuest
from tests.support.loops import run_jumping


def version(number: int) -> GuestVersion:
    """Version ``number`` of the guest, signed as that."""
    compiled = CompiledGuest(
        sha256=f"{number:064x}", size=1, is_component=False, language=None, sdk=None, self_test=b"", code=b""
    )
    return GuestVersion("g", "g.wasm", compiled, number, "key")


class Executor:
    """Does what it is told, unless it is told to refuse."""

    def __init__(self, serving: GuestVersion | None = None, **settings: Any) -> None:
        self.deployments: list[Deployment] = []
        self.refuses: str | None = None
        # Whether a configuration waits for the guest, and what has been tried with it.
        self.waiting = False
        self.tried: list[dict[str, GuestVersion]] = []
        self.failures: list[str] = []
        self.reconfigured: Callable[[Mapping[str, GuestVersion]], Awaitable[None]] | None = None
        self._serving = {"g": serving} if serving is not None else {}
        self._settings = GuestConfig(**settings)

    def wants(self, name: str) -> bool:
        return name == "g"

    def serving(self) -> dict[str, GuestVersion]:
        return self._serving

    def settings(self, name: str) -> GuestConfig:
        return self._settings

    async def deploy(self, deployment: Deployment, observer: ProbationObserver) -> str | None:
        if self.refuses is not None:
            return self.refuses
        self.deployments.append(deployment)
        self._serving = {"g": deployment.serving}
        return None

    def load_failed(self, name: str, reason: str) -> None:
        self.failures.append(reason)

    async def reconfigure(self, refused: Mapping[str, GuestVersion]) -> dict[str, GuestVersion] | None:
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

    def become(self, serving: dict[str, GuestVersion]) -> dict[str, GuestVersion]:
        """Serve this; returns what served before."""
        before, self._serving = self._serving, serving
        return before

    @property
    def now(self) -> tuple[int | None, int | None]:
        """The versions that serve, and that are a canary."""
        last = self.deployments[-1]
        return last.serving.number, last.candidate.number if last.candidate is not None else None


def begin(executor: Executor, store: RolloutStore | None = None) -> RolloutController:
    return RolloutController(executor, store or RolloutStore())


def kept(directory: Path) -> RolloutStore:
    """A store with records there; files hold the numbers of their versions."""
    store = RolloutStore()
    store.use(records(directory), None)
    return store


def records(directory: Path) -> RollbackRecords:

    async def load(record: RollbackRecord) -> GuestVersion:
        return filed(int(record.data))

    return RollbackRecords(directory, directory / "guests", load)


async def no_file(record: RollbackRecord) -> GuestVersion:
    raise AssertionError(record.name)


def filed(number: int) -> GuestVersion:
    """A version with its file."""
    return msgspec.structs.replace(version(number), data=b"%d" % number)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def until_idle() -> None:
    """Everything that was begun has been done: nothing here waits for anything but its turn."""
    for _ in range(10):
        await asyncio.sleep(0)


def canary(seconds: float = 600) -> CanaryConfig:
    return CanaryConfig(weight=5, time=Seconds(seconds))


def test_a_first_version_serves_and_is_not_on_probation() -> None:
    async def scenario() -> None:
        executor = Executor()
        rollouts = begin(executor)
        await rollouts.load(version(1))
        assert executor.deployments == [Deployment(version(1))]
        with pytest.raises(GuestLoadError, match="no version to go back to"):
            await rollouts.rollback("g")
        with pytest.raises(GuestLoadError, match="no version to promote"):
            await rollouts.promote("g")

    run(scenario())


def test_a_version_that_fails_is_rolled_back_and_not_tried_again_until_its_file_changes() -> None:
    async def scenario() -> None:
        executor = Executor(version(1))
        rollouts = begin(executor)
        await rollouts.load(version(2))
        assert executor.deployments[-1] == Deployment(version(2), on_probation=version(2).sha256)
        # An alert asks whether it increases: it has to be there before.
        assert rollouts.counters() == {"sentinel_guest_rollbacks": {("g",): 0}}
        # Of a version that does not serve any more.
        rollouts.failed("g", version(1).sha256, "late")
        await until_idle()
        assert executor.now == (2, None)
        rollouts.failed("g", version(2).sha256, "it fails")
        rollouts.failed("g", version(2).sha256, "another worker says so, too")
        await until_idle()
        assert executor.now == (1, None)
        assert rollouts.counters() == {"sentinel_guest_rollbacks": {("g",): 1}}
        assert rollouts.view("g").rolled_back == version(2)
        await rollouts.load(version(2))
        assert executor.now == (1, None)
        await rollouts.load(version(3))
        assert executor.now == (3, None)
        assert rollouts.view("g").rolled_back is None

    run(scenario())


def test_a_trial_ends() -> None:
    async def scenario() -> None:
        executor = Executor(version(1), revert=RevertConfig(time=Seconds(600)))
        rollouts = begin(executor)
        await rollouts.load(version(2))
        await asyncio.sleep(599)
        assert executor.deployments[-1] != Deployment(version(2))
        await asyncio.sleep(2)
        assert executor.deployments[-1] == Deployment(version(2))
        assert await rollouts.rollback("g")

    run_jumping(scenario())


def test_everything_is_replaced_by_what_is_in_the_folder_but_for_what_was_rolled_back() -> None:
    async def scenario() -> None:
        executor = Executor(version(1))
        rollouts = begin(executor)
        await rollouts.load(version(2))
        await rollouts.rollback("g")
        assert rollouts.keep_decisions({"g": version(2), "other": version(7)}) == {"g": version(1), "other": version(7)}
        found = rollouts.keep_decisions({"g": version(3)})
        assert found == {"g": version(3)}

        async def replace() -> dict[str, GuestVersion]:
            return executor.become(found)

        await rollouts.replace_all(replace)
        assert rollouts.view("g").previous == version(1)
        assert rollouts.view("g").rolled_back is None
        await rollouts.close()

    run(scenario())


def test_a_rollback_can_be_undone_by_promotion() -> None:
    async def scenario() -> None:
        executor = Executor(version(1))
        rollouts = begin(executor)
        await rollouts.load(version(2))
        assert "serves" in await rollouts.rollback("g")
        assert executor.now == (1, None)
        with pytest.raises(GuestLoadError, match="no version to go back to"):
            await rollouts.rollback("g")
        await rollouts.promote("g")
        assert executor.now == (2, None)
        assert rollouts.view("g").previous == version(1)

    run(scenario())


def test_what_cannot_be_done_changes_nothing() -> None:
    async def scenario() -> None:
        executor = Executor(version(1))
        rollouts = begin(executor)
        await rollouts.load(version(2))
        before = rollouts.view("g")
        executor.refuses = "does not start"
        with pytest.raises(GuestLoadError, match="does not start"):
            await rollouts.rollback("g")
        rollouts.failed("g", version(2).sha256, "it fails")
        await until_idle()
        await rollouts.load(version(3))
        assert rollouts.view("g") == before
        executor.refuses = None
        await rollouts.rollback("g")
        assert executor.now == (1, None)

    run(scenario())


def test_a_canary_is_promoted_by_hand() -> None:
    async def scenario() -> None:
        executor = Executor(version(1), canary=canary())
        rollouts = begin(executor)
        await rollouts.load(version(2))
        assert executor.deployments[-1] == Deployment(version(1), version(2), 5, version(2).sha256)
        await rollouts.load(version(2))
        assert len(executor.deployments) == 1
        await rollouts.promote("g")
        assert executor.now == (2, None)
        assert rollouts.view("g").previous == version(1)
        await rollouts.close()

    run(scenario())


@pytest.mark.parametrize("how", ["it fails", "by hand", "its file goes back"])
def test_a_canary_ends_and_what_served_serves_on(how: str) -> None:
    async def scenario() -> None:
        executor = Executor(version(1), canary=canary())
        rollouts = begin(executor)
        await rollouts.load(version(2))
        if how == "it fails":
            rollouts.failed("g", version(2).sha256, "it fails")
            await until_idle()
        elif how == "by hand":
            await rollouts.rollback("g")
        else:
            await rollouts.load(version(1))
        assert executor.now == (1, None)
        view = rollouts.view("g")
        assert view.candidate is None
        assert view.rolled_back == (None if how == "its file goes back" else version(2))
        await rollouts.close()

    run(scenario())


def test_a_newer_canary_takes_the_place_of_an_older() -> None:
    async def scenario() -> None:
        executor = Executor(version(1), canary=canary())
        rollouts = begin(executor)
        await rollouts.load(version(2))
        await rollouts.load(version(3))
        assert executor.now == (1, 3)
        await rollouts.close()

    run(scenario())


def test_a_canary_without_failures_is_promoted_in_time_and_one_with_failures_later() -> None:
    async def scenario() -> None:
        executor = Executor(version(1), canary=canary(600))
        rollouts = begin(executor)
        await rollouts.load(version(2))
        await asyncio.sleep(300)
        rollouts.degraded("g", version(2).sha256)
        await asyncio.sleep(599)
        rollouts.degraded("g", version(1).sha256)
        assert executor.now == (1, 2)
        await asyncio.sleep(2)
        assert executor.now == (2, None)
        await rollouts.close()

    run_jumping(scenario())


def test_versions_count_once_they_serve_everything_and_not_after_a_rollback() -> None:
    async def scenario() -> None:
        executor = Executor(version(1), canary=canary())
        versions, store = Versions(), RolloutStore()
        store.use(RollbackRecords(None, Path("guests"), no_file), versions)
        rollouts = begin(executor, store)
        await rollouts.started()
        assert versions.highest("g") == 1
        await rollouts.load(version(2))
        assert versions.highest("g") == 1
        await rollouts.promote("g")
        assert versions.highest("g") == 2
        await rollouts.rollback("g")
        assert versions.highest("g") == 1
        await rollouts.close()

    run(scenario())


@pytest.mark.parametrize("when", ["at the start", "once its file comes"])
def test_what_was_rolled_back_stays_so_for_the_next_process(tmp_path: Path, when: str) -> None:
    async def scenario() -> None:
        rollouts = begin(Executor(filed(1)), kept(tmp_path))
        await rollouts.load(filed(2))
        await rollouts.rollback("g")
        await rollouts.close()
        # The next process.
        store = kept(tmp_path)
        serving = await store.restore(filed(2)) if when == "at the start" else None
        executor = Executor(serving)
        rollouts = begin(executor, store)
        await rollouts.started()
        await rollouts.load(filed(2))
        assert executor.serving() == {"g": filed(1)}
        assert rollouts.view("g").rolled_back == filed(2)
        await rollouts.load(filed(3))
        assert executor.now == (3, None)
        assert rollouts.view("g").rolled_back is None
        await rollouts.close()

    run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_a_version_before_that_does_not_start_any_more_makes_way(tmp_path: Path) -> None:
    class Picky(Executor):
        async def deploy(self, deployment: Deployment, observer: ProbationObserver) -> str | None:
            return "does not start" if deployment.serving == filed(1) else await super().deploy(deployment, observer)

    async def scenario() -> None:
        await records(tmp_path).keep(filed(2), filed(1), "rolled back")
        store = kept(tmp_path)
        executor = Picky(await store.restore(filed(2)))
        rollouts = begin(executor, store)
        await rollouts.started()
        assert executor.deployments == [Deployment(filed(2))]
        assert rollouts.view("g").rolled_back is None

    run(scenario())


def test_a_version_that_is_refused_is_tried_with_the_configuration_that_waits() -> None:
    async def scenario() -> None:
        executor = Executor(version(1))
        rollouts = begin(executor)
        executor.waiting, executor.refuses = True, "as it is configured"
        await rollouts.reconfigure()
        await rollouts.load(version(2))
        await until_idle()
        assert executor.tried == [{}, {"g": version(2)}]
        assert executor.serving() == {"g": version(2)}
        assert rollouts.view("g").previous == version(1)
        # It serves, and is not tried again.
        await rollouts.reconfigure()
        assert executor.tried[2:] == [{}]
        await rollouts.close()

    run(scenario())


@pytest.mark.parametrize("changed", ["its file", "nothing", "its file is gone"])
def test_a_version_that_is_refused_is_tried_again_with_the_next_configuration(changed: str) -> None:
    async def scenario() -> None:
        executor = Executor(version(1))
        rollouts = begin(executor)
        executor.refuses = "as it is configured"
        await rollouts.load(version(2))
        if changed == "its file":
            await rollouts.load(version(3))
        elif changed == "its file is gone":
            rollouts.load_failed("g", "no such file")
            assert executor.failures == ["no such file"]
        executor.refuses = None
        await rollouts.reconfigure()
        expected = {"its file": 3, "nothing": 2, "its file is gone": 1}[changed]
        assert executor.serving()["g"].number == expected
        await rollouts.close()

    run(scenario())


def test_configurations_are_read_and_served_one_after_the_other() -> None:
    """What was read first was served last, when the second was served while the first was still
    being prepared.
    """

    async def scenario() -> None:
        executor = Executor(version(1))
        rollouts = begin(executor)
        under_way: list[int] = []
        go_on = asyncio.Event()

        async def reconfigure(refused: Mapping[str, GuestVersion]) -> None:
            under_way.append(len(under_way))
            await go_on.wait()

        executor.reconfigured = reconfigure
        both = [asyncio.create_task(rollouts.reconfigure()) for _ in range(2)]
        await until_idle()
        assert under_way == [0]
        go_on.set()
        await asyncio.gather(*both)
        assert under_way == [0, 1]
        await rollouts.close()

    run(scenario())
