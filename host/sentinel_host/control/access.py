"""Who may ask the admin side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sentinel_host.config import Config
from sentinel_host.control.token import admin_token

_log = logging.getLogger("sentinel.control")


@dataclass(slots=True)
class AdminAccess:
    """Who may ask: the names of the admin side, and the token that it asks for, ``None`` for
    none.
    """

    hosts: tuple[str, ...] = ()
    token: str | None = None

    @classmethod
    def of(
        cls, config: Config, environment: Mapping[str, str], directory: Path | None, *, make_token: bool
    ) -> AdminAccess:
        """As it is configured; see `admin_token`. Raises `ConfigError`."""
        address = config.server.admin
        if address is None:
            return cls()
        token = admin_token(config, environment, directory, make=make_token, needed=False)
        return cls((address.rpartition(":")[0],), token)

    def renew(self, config: Config) -> Callable[[], None]:
        """Look at the token's file anew; returns what has another token count. Raises
        `ConfigError`.
        """
        if config.server.admin is None or config.server.admin_token_file is None:
            return lambda: None
        token = admin_token(config, {}, None, make=False)

        def count() -> None:
            if token != self.token:
                self.token = token
                _log.info("%s: server.admin_token_file: another token is asked for from now on", config.file)

        return count
