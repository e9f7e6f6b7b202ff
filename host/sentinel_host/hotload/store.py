"""What is remembered of rollouts: which version was rolled back, and how high signed versions have
served.

Rule 1: at most one version per guest is remembered as rolled back: the newest one.
Rule 2: what is remembered here counts at once; `use` says which files keep it over restarts.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.rollbacks import RollbackRecords
from sentinel_host.hotload.versions import Versions


class RolloutStore:
    """The memory of one `RolloutController`; empty, and without files, at first."""

    def __init__(self) -> None:
        self._rolled_back: dict[str, GuestVersion] = {}
        self._records: RollbackRecords | None = None
        self._versions: Versions | None = None

    def use(self, records: RollbackRecords, versions: Versions | None) -> None:
        """Keep rollbacks in ``records`` and the numbers of signed versions in ``versions`` from now
        on.
        """
        self._records, self._versions = records, versions

    def rolled_back(self, name: str) -> GuestVersion | None:
        """The version of a guest that is not tried again."""
        return self._rolled_back.get(name)

    def all_rolled_back(self) -> list[GuestVersion]:
        """Every guest's version that is not tried again."""
        return list(self._rolled_back.values())

    async def note_rollback(self, newest: GuestVersion, back: GuestVersion, reason: str) -> None:
        """``newest`` was rolled back to ``back``, whose number is no downgrade any more."""
        self._rolled_back[newest.name] = newest
        if (versions := self._versions) is not None and (number := back.number) is not None:
            await aside(lambda: versions.allow(back.name, number))
        if self._records is not None:
            await self._records.keep(newest, back, reason)

    def retry(self, name: str) -> None:
        """The version may be tried again in this process; the record stays for the next start."""
        self._rolled_back.pop(name, None)

    async def forget(self, name: str) -> None:
        """Another version is the newest, or the rolled-back one serves by request."""
        self._rolled_back.pop(name, None)
        if self._records is not None:
            await self._records.drop(name)

    async def restore(self, found: GuestVersion, records: RollbackRecords | None = None) -> GuestVersion:
        """The version to serve in place of ``found``: the one before, if ``found`` was rolled back;
        else ``found``.

        ``records`` are those of a folder that is about to be used.
        """
        name, kept = found.name, records or self._records
        before = await kept.restore(found) if kept is not None else None
        if before is None:
            self._rolled_back.pop(name, None)
            return found
        self._rolled_back[name] = found
        return before

    async def note_serving(self, serving: Mapping[str, GuestVersion]) -> None:
        """These versions serve: signed versions with lower numbers are downgrades from now on."""
        if (versions := self._versions) is not None:
            signed = {name: version.number for name, version in serving.items() if version.number is not None}
            await aside(lambda: versions.note(signed))
