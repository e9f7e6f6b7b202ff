"""Whether a text may be served as the configuration, as far as it can be told without starting
guests.
"""

from __future__ import annotations

from sentinel_host.config import Config, parse_config, read_files
from sentinel_host.hotload.aside import aside
from sentinel_host.supervisor.prepared import check_files


async def checked_config(text: str, current: Config) -> Config:
    """The configuration that it is, in the place of ``current``. Raises `ConfigError`."""

    def check() -> Config:
        config = read_files(parse_config(text, current.file))
        check_files(config)
        return config

    return await aside(check)
