"""Files' new content, made to count in the supervising process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sentinel_host.config import Config
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.guest_source import Renewal
from sentinel_host.supervisor.prepared import check_files


async def renew(config: Config, renewals: Sequence[Renewal]) -> None:
    """Have what files say count in this process. Raises `ConfigError`, and then nothing changes."""

    def look() -> list[Callable[[], None]]:
        check_files(config)
        return [renewal(config) for renewal in renewals]

    for count in await aside(look):
        count()
