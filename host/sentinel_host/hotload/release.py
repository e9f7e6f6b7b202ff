"""The rollout of one guest's newest version."""

from __future__ import annotations

import asyncio

import msgspec

from sentinel_host.hotload.guest_version import GuestVersion


class ReleaseView(msgspec.Struct, frozen=True):
    """What is known of one guest beyond the serving version.

    ``previous`` is what a rollback would bring back. ``candidate`` is the canary, ``since`` when it
    began (Unix time). ``rolled_back`` is not tried again until its file changes.
    """

    previous: GuestVersion | None = None
    candidate: GuestVersion | None = None
    since: float = 0.0
    rolled_back: GuestVersion | None = None


class Release:
    """The state of one guest's release. At most one timer runs: the next step.

    A canary has not failed since ``healthy_since``, by the loop's clock.
    """

    __slots__ = ("_timer", "candidate", "healthy_since", "previous", "since")

    def __init__(self) -> None:
        self.candidate: GuestVersion | None = None
        self.healthy_since = 0.0
        self.previous: GuestVersion | None = None
        self.since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, timer: asyncio.TimerHandle) -> None:
        """This is the next step, in place of another."""
        self.cancel()
        self._timer = timer

    def cancel(self) -> None:
        """There is no next step."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
