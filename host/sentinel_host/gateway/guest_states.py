"""The states of the guests in one process: see `GuestState`."""

from __future__ import annotations

import time

from sentinel_host.config import GuestConfig
from sentinel_host.gateway.generation import Generation
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.state import GuestState
from sentinel_host.sandbox import LoadedGuest


class GuestStates:
    """The states of the guests that routes name; ``all`` has them by name."""

    def __init__(self) -> None:
        self.all: dict[str, GuestState] = {}

    def note_failure(self, name: str, reason: str) -> None:
        """A version could not be loaded."""
        state = self._of(name)
        state.error, state.failed_at = reason, time.time()
        state.failed_loads += 1

    def clear_failure(self, name: str) -> None:
        """The folder holds the serving version again."""
        state = self._of(name)
        state.error, state.failed_at = "", 0.0

    def keep_only(self, generation: Generation) -> None:
        """Forget guests that the generation lacks, and note those of its guests that are
        missing.
        """
        for name in list(self.all):
            if name not in generation.guests and name not in generation.faults:
                del self.all[name]
        for name in generation.faults:
            self._of(name).state = "missing"

    def note_service(
        self,
        guest: LoadedGuest,
        version: GuestVersion,
        settings: GuestConfig,
        canary: tuple[str, int],
        *,
        is_swap: bool,
    ) -> None:
        """The guest serves. ``canary`` is its canary's digest and weight; ``is_swap`` is whether a
        change of version counts as one.
        """
        state = self._of(guest.name)
        state.canary, state.canary_weight = canary
        state.grants = tuple(settings.grants)
        if state.state == "serving" and state.sha256 == guest.sha256:
            return
        if is_swap:
            state.swaps += 1
        state.state, state.error, state.since = "serving", "", time.time()
        # Calls that failed before were another version's.
        state.failed_at = state.since
        state.path, state.sha256, state.size = guest.path, guest.sha256, guest.size
        state.language, state.sdk, state.abi_version = guest.language, guest.sdk, guest.abi_version
        state.hooks, state.imports = guest.hooks, guest.imports
        state.version = version.number

    def _of(self, name: str) -> GuestState:
        return self.all.setdefault(name, GuestState(name))
