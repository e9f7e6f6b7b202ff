"""What the configuration grants a guest, as the sandbox takes it."""

from __future__ import annotations

from sentinel_host.config import GuestConfig
from sentinel_host.sandbox import Grants


def grants_of(settings: GuestConfig) -> Grants:
    """The grants of one guest."""
    return Grants(frozenset(settings.grants), settings.kv)
