"""Which version of each guest serves: canary, probation, promotion and rollback.

Rule 1: decisions are made here, once for all workers. The executor receives the desired state
        (`Deployment`), not commands.
Rule 2: decisions are made one after the other. One that cannot be applied changes nothing here.
Rule 3: a version that was rolled back is not tried again until its file changes or an operator
        promotes it. A restart does not change that (`sentinel_host.hotload.rollbacks`).
Rule 4: a new version and a new configuration may need each other. A version that does not start
        with the active configuration, and a configuration that the serving version does not start
        with, are each tried again together.
Rule 5: a signed version raises the limit against downgrades once it serves every request; a
        rollback lowers it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from sentinel_host.config import RevertConfig
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.background import Background
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.executor import RolloutExecutor
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.release import Release, ReleaseView
from sentinel_host.hotload.store import RolloutStore

_log = logging.getLogger("sentinel.hotload")


class RolloutController:
    """The rollouts of one gateway: ``executor`` applies them, ``store`` remembers them.

    It is the `ProbationObserver` of every deployment that it makes. To be used from one event loop.
    """

    def __init__(self, executor: RolloutExecutor, store: RolloutStore) -> None:
        self._executor = executor
        self._store = store
        self._lock = asyncio.Lock()
        self._reconfiguring = asyncio.Lock()
        self._releases: dict[str, Release] = {}
        # The newest version of each guest that does not start with the active configuration.
        self._refused: dict[str, GuestVersion] = {}
        self._background = Background(_log, "the next step of a release")
        self._rollbacks: dict[str, int] = {}

    def view(self, name: str) -> ReleaseView:
        """The release of a guest, for operators."""
        release, rolled_back = self._releases.get(name, Release()), self._store.rolled_back(name)
        return ReleaseView(release.previous, release.candidate, release.since, rolled_back)

    def serving(self) -> Mapping[str, GuestVersion]:
        """The version of each guest that serves."""
        return self._executor.serving()

    def counters(self) -> dict[str, dict[tuple[str, ...], float]]:
        """The number of rollbacks, by metric family and guest."""
        # Of guests without any as well: Prometheus sees no increase where a series begins with 1.
        counts = dict.fromkeys(self._executor.serving(), 0) | self._rollbacks
        return {"sentinel_guest_rollbacks": {(name,): count for name, count in counts.items()}}

    def wants(self, name: str) -> bool:
        """Whether any route names the guest."""
        return self._executor.wants(name)

    def load_failed(self, name: str, reason: str) -> None:
        """The file of a guest could not be loaded, for this reason; the serving version stays."""
        self._refused.pop(name, None)
        self._executor.load_failed(name, reason)

    async def reconfigure(self) -> None:
        """Read the configuration file again and serve it, or log why the active configuration
        stays.
        """
        # One after the other: a file that was read earlier must not be served later.
        async with self._reconfiguring:
            # Not a copy: a version may be refused while the configuration is being read.
            replaced = await self._executor.reconfigure(self._refused)
        if replaced is None:
            return
        async with self._lock:
            await self._note_replaced(replaced)
        # The configuration that refused them may be gone.
        for version in list(self._refused.values()):
            await self.load(version)

    def keep_decisions(self, found: Mapping[str, GuestVersion]) -> dict[str, GuestVersion]:
        """What to serve of the versions found in the folder when everything is replaced.

        A version that was rolled back does not serve again, and a canary does not become the
        serving version.
        """
        serving, kept = self._executor.serving(), dict(found)
        for name, version in found.items():
            release = self._releases.get(name)
            newest = (release.candidate if release is not None else None) or self._store.rolled_back(name)
            if name in serving and version.is_same(newest):
                kept[name] = serving[name]
        return kept

    async def replace_all(self, replace: Callable[[], Awaitable[Mapping[str, GuestVersion]]]) -> None:
        """Replace everything that serves, between two decisions. ``replace`` returns what served
        before.
        """
        async with self._lock:
            await self._note_replaced(await replace())

    async def started(self) -> None:
        """The versions that were found at the start serve now.

        Where a version was restored in place of one that was rolled back and does not start, the
        latter is tried.
        """
        async with self._lock:
            # Changes may arrive meanwhile: files are watched already.
            for newest in self._store.all_rolled_back():
                name = newest.name
                back = self._executor.serving().get(name)
                if back is None or await self._deploy(Deployment(back)) is not None:
                    why = "the version before does not start"
                    _log.error("guest %s: %s was rolled back and is tried again: %s", name, newest.short, why)
                    self._store.retry(name)
                    await self._deploy(Deployment(newest))
            await self._store.note_serving(self._executor.serving())

    async def load(self, version: GuestVersion) -> None:
        """A version has appeared: it serves, or becomes the canary, unless it was rolled back
        before.
        """
        name = version.name
        async with self._lock:
            self._refused.pop(name, None)
            release, current = self._of(name), self._executor.serving().get(name)
            if current is None and await self._restore(version):
                return
            if current is not None and version.is_same(self._store.rolled_back(name)):
                _log.warning(
                    "guest %s: %s was rolled back, and is not tried again until its file changes", name, version.short
                )
                return
            if version.is_same(release.candidate):
                return
            canary = self._executor.settings(name).canary
            if current is None or canary is None or version.is_same(current):
                reason = await self._serve(version, current)
            else:
                reason = await self._deploy_and_retry(Deployment(current, version, canary.weight, version.sha256))
            if reason is not None:
                self._refused[name] = version
            elif current is not None and canary is not None and not version.is_same(current):
                release.cancel()
                await self._store.forget(name)
                release.candidate, release.since = version, time.time()
                release.healthy_since = asyncio.get_running_loop().time()
                self._promote_after(canary.time, release, version)

    def degraded(self, name: str, sha256: str) -> None:
        """Part of `ProbationObserver`."""
        release = self._releases.get(name)
        if release is not None and release.candidate is not None and release.candidate.sha256 == sha256:
            release.healthy_since = asyncio.get_running_loop().time()

    def failed(self, name: str, sha256: str, reason: str) -> None:
        """Part of `ProbationObserver`."""
        self._background.begin(self._roll_back_failed(name, sha256, reason))

    async def rollback(self, name: str) -> str:
        """End a canary, or bring the previous version back; returns a sentence that says what
        serves.

        Raises `GuestLoadError` when there is no version to go back to, or it does not start.
        """
        async with self._lock:
            newest, back = self._newest_and_previous(name)
            if newest is None or back is None:
                raise GuestLoadError(f"guest {name}: there is no version to go back to")
            await self._go_back(newest, back, "by an operator")
            _log.info("guest %s: %s was rolled back, and %s serves", name, newest.short, back.short)
            return f"guest {name}: {back.short} serves, {newest.short} was rolled back"

    async def promote(self, name: str) -> str:
        """Have the canary, or the version that was rolled back, serve every request; returns what
        serves.

        Raises `GuestLoadError` when there is neither, or it does not start.
        """
        async with self._lock:
            newest = self._of(name).candidate or self._store.rolled_back(name)
            if newest is None:
                raise GuestLoadError(f"guest {name}: there is no version to promote")
            if reason := await self._serve(newest, self._executor.serving().get(name)):
                raise GuestLoadError(reason)
            return f"guest {name}: {newest.short} serves"

    async def close(self) -> None:
        """Make no more decisions."""
        for release in self._releases.values():
            release.cancel()
        await self._background.close()

    async def _serve(self, version: GuestVersion, current: GuestVersion | None) -> str | None:
        """Have a version serve every request; returns the reason if it does not."""
        name = version.name
        release = self._of(name)
        is_new = current is not None and not version.is_same(current)
        reason = await self._deploy_and_retry(Deployment(version, on_probation=version.sha256 if is_new else ""))
        if reason is None:
            release.cancel()
            await self._store.forget(name)
            release.candidate = None
            if is_new:
                release.previous = current
                seconds = self._probation_time(name)
                release.wait(self._background.begin_after(seconds, lambda: self._end_probation(version)))
            await self._store.note_serving(self._executor.serving())
        return reason

    async def _deploy(self, deployment: Deployment) -> str | None:
        return await self._executor.deploy(deployment, self)

    async def _deploy_and_retry(self, deployment: Deployment) -> str | None:
        """Deploy; a configuration that waits for the guest is then tried again."""
        reason = await self._deploy(deployment)
        if self._executor.waits_for(deployment.serving.name):
            self._background.begin(self.reconfigure())
        return reason

    async def _restore(self, version: GuestVersion) -> bool:
        """Whether the version before this one, which was rolled back, serves in its place."""
        back = await self._store.restore(version)
        return back is not version and await self._deploy(Deployment(back)) is None

    async def _roll_back_failed(self, name: str, sha256: str, reason: str) -> None:
        async with self._lock:
            newest, back = self._newest_and_previous(name)
            if newest is None or back is None or newest.sha256 != sha256:
                return
            try:
                await self._go_back(newest, back, reason)
            except GuestLoadError as error:
                _log.error("guest %s: %s fails, and cannot be rolled back: %s", name, newest.short, error)
            else:
                _log.error("guest %s: %s was rolled back, and %s serves: %s", name, newest.short, back.short, reason)

    def _newest_and_previous(self, name: str) -> tuple[GuestVersion | None, GuestVersion | None]:
        """The newest version, and the one that a rollback brings back."""
        release, current = self._of(name), self._executor.serving().get(name)
        if release.candidate is not None:
            return release.candidate, current
        return current, release.previous

    async def _go_back(self, newest: GuestVersion, back: GuestVersion, reason: str) -> None:
        """Raises `GuestLoadError` when the version before does not start any more."""
        name = newest.name
        release = self._of(name)
        if refusal := await self._deploy(Deployment(back)):
            raise GuestLoadError(refusal)
        release.cancel()
        release.candidate = None
        if release.previous is back:
            release.previous = None
        self._rollbacks[name] = self._rollbacks.get(name, 0) + 1
        await self._store.note_rollback(newest, back, reason)

    def _promote_after(self, seconds: float, release: Release, version: GuestVersion) -> None:
        release.wait(self._background.begin_after(seconds, lambda: self._promote_if_healthy(version)))

    async def _promote_if_healthy(self, version: GuestVersion) -> None:
        """Promote a canary that has not failed for long enough; otherwise look again."""
        name = version.name
        async with self._lock:
            release, canary = self._of(name), self._executor.settings(name).canary
            if release.candidate is not version:
                return
            seconds = canary.time if canary is not None else 0.0
            left = release.healthy_since + seconds - asyncio.get_running_loop().time()
            if left > 0:
                self._promote_after(left, release, version)
            elif await self._serve(version, self._executor.serving().get(name)) is None:
                _log.info("guest %s: %s was promoted, after %g s without a failure", name, version.short, seconds)

    async def _end_probation(self, version: GuestVersion) -> None:
        name = version.name
        async with self._lock:
            if self._of(name).candidate is None and self._executor.serving().get(name) is version:
                await self._deploy(Deployment(version))

    def _probation_time(self, name: str) -> float:
        revert = self._executor.settings(name).revert
        return revert.time if isinstance(revert, RevertConfig) else RevertConfig().time

    async def _note_replaced(self, before: Mapping[str, GuestVersion]) -> None:
        """What serves was replaced as a whole; ``before`` is what served until then."""
        for name, version in self._executor.serving().items():
            if version.is_same(self._refused.get(name)):
                del self._refused[name]
            if name in before and not version.is_same(before[name]):
                release = self._of(name)
                release.cancel()
                await self._store.forget(name)
                release.candidate, release.previous = None, before[name]
        await self._store.note_serving(self._executor.serving())

    def _of(self, name: str) -> Release:
        return self._releases.setdefault(name, Release())
