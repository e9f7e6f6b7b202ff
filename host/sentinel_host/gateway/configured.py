"""The configuration of a guest in one place of a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_host.abi.encode import encode_config
from sentinel_host.config import ChainEntry, Config, GuestConfig
from sentinel_host.errors import ConfigError, GuestLoadError
from sentinel_host.sandbox import LoadedGuest
from sentinel_host.sandbox.text import one_line


@dataclass(frozen=True, slots=True)
class Configured:
    """``values`` are the guest's own configuration under that of the chain's entry; ``encoded`` is
    what the guest gets.

    ``file``, ``guest`` and ``entry`` say where they are written; ``laid_over`` are the keys that
    the entry has.
    """

    values: Mapping[str, Any]
    encoded: bytes
    file: str
    guest: str
    entry: str
    laid_over: frozenset[str]

    def check(self, guest: LoadedGuest) -> None:
        """Check the values against the guest's schema, if it has one.

        Raises `GuestLoadError` that names the file and the key.
        """
        problem = guest.config_schema.problem(self.values) if guest.config_schema is not None else None
        if problem is None:
            return
        keys, what = problem
        table = self.entry if keys and keys[0] in self.laid_over else f"guest.{self.guest}"
        path = "".join(key if key.startswith("[") else f".{one_line(key)}" for key in keys)
        raise GuestLoadError(f"{self.file}: {table}.config{path}: {what}")


def configured(config: Config, entry: ChainEntry, at: str) -> Configured:
    """The configuration of the guest in a chain's entry, which is written ``at``, as in
    ``route[0].chain[1]``.

    Raises `ConfigError`.
    """
    name = entry.guest
    values = config.guest.get(name, GuestConfig()).config | entry.config
    try:
        encoded = encode_config(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{config.file}: guest.{name}.config: {error}") from None
    return Configured(values, encoded, config.file, name, at, frozenset(entry.config))
