"""What the configuration grants a guest, as the sandbox takes it."""

from __future__ import annotations

from sentinel_host.config import GuestConfig
from sentinel_host.sandbox import Grants, HttpGrant

HTTP_CLIENT = "http-client"


def grants_of(settings: GuestConfig, http: HttpGrant | None) -> Grants:
    """The grants of one guest; ``http`` is how it asks HTTP services, if it may."""
    return Grants(frozenset(settings.grants), settings.kv, http)
