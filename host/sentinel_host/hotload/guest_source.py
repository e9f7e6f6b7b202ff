"""Where a process's guests come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from sentinel_host.config import Config
from sentinel_host.hotload.guest_version import GuestVersion

Renewal = Callable[[Config], Callable[[], None]]
"""Has files' new content count in one place, in two steps.

It is called in a thread with a configuration, and reads and checks; it raises `ConfigError`, or
returns what makes the content count, which is called on the event loop.
"""


class GuestSource(Protocol):
    """A folder of guests, or a supervisor that has read one."""

    async def obtain(self, names: Iterable[str]) -> tuple[dict[str, GuestVersion], dict[str, str]]:
        """The versions to serve under these names, and for the other names the reason why there is
        none.
        """

    async def follow(self, config: Config) -> None:
        """This configuration is about to be served: watch the files that it names."""

    def renew(self, config: Config) -> Callable[[], None]:
        """The `Renewal` of what guests are verified with."""
