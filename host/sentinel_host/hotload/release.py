"""Which version of each guest serves: what becomes of a new one, and how to get back to the one before.

Rule 1: this is where it is decided, once for all workers. Who executes (`Crew`) is told what is to be, not what to do.
Rule 2: decisions are made one after the other; one that cannot be executed changes nothing here.
Rule 3: a version that was taken back is not tried again until its file changes, or somebody says so (`promote`); a
        restart does not change that (`sentinel_host.hotload.held`).
Rule 4: a version that does not start as it is configured, and a configuration that the version which serves does not
        start with, may have come together: each is tried again with the other.
Rule 5: a signed version counts, against downgrades, once it serves every request, and no more once it is taken back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from sentinel_host.config import RevertConfig
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.crew import Crew
from sentinel_host.hotload.held import Held
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement, digest_of, short
from sentinel_host.hotload.versions import Versions

_log = logging.getLogger("sentinel.hotload")


class ReleaseView(msgspec.Struct, frozen=True):
    """What is known of one guest beyond what serves: offers, and since when the canary has been one (Unix time)."""

    previous: Offer | None = None
    candidate: Offer | None = None
    since: float = 0.0
    taken_back: Offer | None = None


class _Release:
    """The state of one guest. At most one of ``candidate`` and ``taken_back`` is there: both are the newest version."""

    __slots__ = ("candidate", "previous", "quiet_since", "since", "taken_back", "timer")

    def __init__(self) -> None:
        self.candidate: Offer | None = None
        # By the loop's clock, of a canary: it has not failed since then.
        self.quiet_since = 0.0
        self.previous: Offer | None = None
        self.since = 0.0
        self.taken_back: Offer | None = None
        self.timer: asyncio.TimerHandle | None = None


class Releases:
    """The releases of one gateway; to be used from one event loop."""

    def __init__(self) -> None:
        # Who executes may be exchanged by who holds the lock. What he keeps over restarts goes with him: ``versions``
        # where signatures are asked for, ``held`` where there is a folder.
        self.crew: Crew
        self.lock = asyncio.Lock()
        self.versions: Versions | None = None
        self.held: Held | None = None
        self._reconfiguring = asyncio.Lock()
        self._releases: dict[str, _Release] = {}
        # The newest version of each guest that does not start as it is configured.
        self._refused: dict[str, Offer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken_back: dict[str, int] = {}

    def view(self, name: str) -> ReleaseView:
        """For people and programs that ask."""
        release = self._releases.get(name)
        if release is None:
            return ReleaseView()
        return ReleaseView(release.previous, release.candidate, release.since, release.taken_back)

    def counters(self) -> dict[str, dict[tuple[str, ...], float]]:
        """What has been decided, by metric family and guest."""
        return {"sentinel_guest_taken_back": {(name,): count for name, count in self._taken_back.items()}}

    def wants(self, name: str) -> bool:
        """Whether any route names the guest; no, as long as nobody serves."""
        return hasattr(self, "crew") and self.crew.wants(name)

    def failed(self, name: str, reason: str) -> None:
        """There is no new version of a guest, for this reason; what serves goes on."""
        self._refused.pop(name, None)
        self.crew.failed(name, reason)

    async def reconfigure(self) -> None:
        """Read the configuration file again, and serve it, or say in the log why not."""
        # One after the other: what was read first must not be served last.
        async with self._reconfiguring:
            # Not a copy: a version may be refused while the configuration is.
            replaced = await self.crew.reconfigure(self._refused)
        if replaced is None:
            return
        async with self.lock:
            await self.replaced(replaced)
        # It may be another configuration that they were refused with.
        for offer in list(self._refused.values()):
            await self.load(offer)

    def settle(self, found: Mapping[str, Offer]) -> dict[str, Offer]:
        """What is to serve of what was found in the folder, if everything that serves is replaced: no version that was
        taken back, and none that is a canary."""
        serving, settled = self.crew.serving(), dict(found)
        for name, offer in found.items():
            release = self._releases.get(name)
            if release is not None and name in serving:
                newest = release.candidate or release.taken_back
                if _is_same(offer, newest):
                    settled[name] = serving[name]
        return settled

    async def recall(self, found: Mapping[str, Offer], held: Held) -> dict[str, Offer]:
        """What is to serve of what was found in the folder, where nothing serves yet: in place of a version that was
        taken back before, perhaps by another process, the one that served instead."""
        serving, recalled = self.crew.serving() if hasattr(self, "crew") else {}, dict(found)
        for name, offer in found.items():
            if name not in serving:
                before = await held.recall(offer)
                self._of(name).taken_back = offer if before is not None else None
                recalled[name] = before or offer
        return recalled

    async def started(self) -> None:
        """What was found is served for the first time. If a version that was recalled does not start, as its
        configuration may have changed, the one in the folder is tried after all."""
        async with self.lock:
            # Others may come meanwhile: files are watched already.
            for name, release in list(self._releases.items()):
                if release.taken_back is None:
                    continue
                back, newest = self.crew.serving().get(name), release.taken_back
                if back is None or await self.crew.place(Placement(back)) is not None:
                    why = "the version before does not start"
                    _log.error("guest %s: %s was taken back, and is tried again: %s", name, short(newest), why)
                    release.taken_back = None
                    await self.crew.place(Placement(newest))
            await self.note_versions()

    async def replaced(self, before: Mapping[str, Offer]) -> None:
        """What serves was replaced; ``before`` is what served until then."""
        for name, offer in self.crew.serving().items():
            if _is_same(offer, self._refused.get(name)):
                del self._refused[name]
            if name in before and not _is_same(offer, before[name]):
                release = self._of(name)
                self._cancel(release)
                await self._forget(name, release)
                release.candidate, release.previous = None, before[name]
        await self.note_versions()

    async def note_versions(self) -> None:
        """What serves now has served: of those that are signed, older versions are downgrades from now on."""
        if (versions := self.versions) is not None:
            signed = {name: offer.version for name, offer in self.crew.serving().items() if offer.version is not None}
            await aside(lambda: versions.note(signed))

    async def load(self, offer: Offer) -> None:
        """A version has appeared: it serves, or becomes a candidate, unless it was taken back before."""
        name = offer.name
        async with self.lock:
            self._refused.pop(name, None)
            release, current = self._of(name), self.crew.serving().get(name)
            if current is None and await self._load_before(name, offer):
                return
            if current is not None and _is_same(offer, release.taken_back):
                _log.warning(
                    "guest %s: %s was taken back, and is not tried again until its file changes", name, short(offer)
                )
                return
            if _is_same(offer, release.candidate):
                return
            canary = self.crew.settings(name).canary
            if current is None or canary is None or _is_same(offer, current):
                reason = await self._serve(name, offer, current)
            else:
                reason = await self._place(Placement(current, offer, canary.weight, digest_of(offer)))
            if reason is not None:
                self._refused[name] = offer
            elif current is not None and canary is not None and not _is_same(offer, current):
                self._cancel(release)
                await self._forget(name, release)
                release.candidate, release.since = offer, time.time()
                release.quiet_since = asyncio.get_running_loop().time()
                self._after(canary.time, release, lambda: self._promote_in_time(name, offer))

    def faltered(self, name: str, sha256: str) -> None:
        """The version that is on trial has failed at least once since the last time."""
        release = self._releases.get(name)
        if release is not None and digest_of(release.candidate) == sha256:
            release.quiet_since = asyncio.get_running_loop().time()

    def tripped(self, name: str, sha256: str, reason: str) -> None:
        """The version that is on trial fails too much."""
        self._begin(self._take_back(name, sha256, reason))

    async def rollback(self, name: str) -> str:
        """Have the version before serve again, or end a canary; says what serves.

        Raises `GuestLoadError` when there is nothing to go back to, or it does not start any more.
        """
        async with self.lock:
            release, current = self._of(name), self.crew.serving().get(name)
            newest, back = release.candidate or current, current if release.candidate else release.previous
            if newest is None or back is None:
                raise GuestLoadError(f"guest {name}: there is no version to go back to")
            await self._go_back(name, release, newest, back, "rolled back")
            _log.info("guest %s: %s was rolled back, and %s serves", name, short(newest), short(back))
            return f"guest {name}: {short(back)} serves, {short(newest)} was taken back"

    async def promote(self, name: str) -> str:
        """Have the canary, or a version that was taken back, serve every request; says what serves.

        Raises `GuestLoadError` when there is neither, or it does not start any more.
        """
        async with self.lock:
            release = self._of(name)
            newest = release.candidate or release.taken_back
            if newest is None:
                raise GuestLoadError(f"guest {name}: there is no version to promote")
            if reason := await self._serve(name, newest, self.crew.serving().get(name)):
                raise GuestLoadError(reason)
            return f"guest {name}: {short(newest)} serves"

    async def close(self) -> None:
        """Decide nothing more."""
        for release in self._releases.values():
            self._cancel(release)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, name: str, offer: Offer, current: Offer | None) -> str | None:
        """Have a version serve every request; returns the reason if it does not."""
        release = self._of(name)
        is_new = current is not None and not _is_same(offer, current)
        reason = await self._place(Placement(offer, on_trial=digest_of(offer) if is_new else ""))
        if reason is None:
            self._cancel(release)
            await self._forget(name, release)
            release.candidate = None
            if is_new:
                release.previous = current
                self._after(self._trial_time(name), release, lambda: self._end_trial(name, offer))
            await self.note_versions()
        return reason

    async def _place(self, placement: Placement) -> str | None:
        """As `Crew.place`; a configuration that waits for the guest is then tried again."""
        reason = await self.crew.place(placement)
        if self.crew.waits_for(placement.serving.name):
            self._begin(self.reconfigure())
        return reason

    async def _load_before(self, name: str, offer: Offer) -> bool:
        """Nothing serves: see whether the version before this one does, which was taken back."""
        back = (await self.recall({name: offer}, self.held))[name] if self.held is not None else offer
        return back is not offer and await self.crew.place(Placement(back)) is None

    async def _take_back(self, name: str, sha256: str, reason: str) -> None:
        async with self.lock:
            release, current = self._of(name), self.crew.serving().get(name)
            newest, back = release.candidate or current, current if release.candidate else release.previous
            if newest is None or back is None or digest_of(newest) != sha256:
                return
            try:
                await self._go_back(name, release, newest, back, reason)
            except GuestLoadError as error:
                _log.error("guest %s: %s fails, and cannot be taken back: %s", name, short(newest), error)
            else:
                old, now = short(newest), short(back)
                _log.error("guest %s: %s was taken back, and %s serves: %s", name, old, now, reason)

    async def _go_back(self, name: str, release: _Release, newest: Offer, back: Offer, reason: str) -> None:
        """Raises `GuestLoadError` when it does not start any more."""
        if refusal := await self.crew.place(Placement(back)):
            raise GuestLoadError(refusal)
        self._cancel(release)
        release.candidate, release.taken_back = None, newest
        if release.previous is back:
            release.previous = None
        self._taken_back[name] = self._taken_back.get(name, 0) + 1
        if (versions := self.versions) is not None and (version := back.version) is not None:
            await aside(lambda: versions.allow(name, version))
        if self.held is not None:
            await self.held.keep(newest, back, reason)

    async def _promote_in_time(self, name: str, offer: Offer) -> None:
        """Promote a canary that has not failed for long enough; otherwise look again."""
        async with self.lock:
            release, canary = self._of(name), self.crew.settings(name).canary
            if release.candidate is not offer:
                return
            lasts = canary.time if canary is not None else 0.0
            left = release.quiet_since + lasts - asyncio.get_running_loop().time()
            if left > 0:
                self._after(left, release, lambda: self._promote_in_time(name, offer))
            elif await self._serve(name, offer, self.crew.serving().get(name)) is None:
                _log.info("guest %s: %s was promoted, after %g s without a failure", name, short(offer), lasts)

    async def _end_trial(self, name: str, offer: Offer) -> None:
        async with self.lock:
            if self._of(name).candidate is None and self.crew.serving().get(name) is offer:
                await self.crew.place(Placement(offer))

    def _trial_time(self, name: str) -> float:
        revert = self.crew.settings(name).revert
        return revert.time if isinstance(revert, RevertConfig) else RevertConfig().time

    def _after(self, seconds: float, release: _Release, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The next step of a release, if nothing comes before it."""
        self._cancel(release)
        release.timer = asyncio.get_running_loop().call_later(seconds, lambda: self._begin(work()))

    def _cancel(self, release: _Release) -> None:
        if release.timer is not None:
            release.timer.cancel()
            release.timer = None

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forget(self, name: str, release: _Release) -> None:
        """Another version than the one that was taken back is the newest, or it serves all the same."""
        release.taken_back = None
        if self.held is not None:
            await self.held.drop(name)

    def _of(self, name: str) -> _Release:
        return self._releases.setdefault(name, _Release())


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        # A fault of ours, for the log; the next version, or what an operator asks for, is taken all the same.
        _log.exception("the next step of a release failed")


def _is_same(offer: Offer, other: Offer | None) -> bool:
    return other is not None and offer.guest.sha256 == other.guest.sha256
