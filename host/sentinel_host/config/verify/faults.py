"""Errors that name the file and the key, and the rules that several parts of a configuration
share.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from sentinel_host.config.files import is_secure
from sentinel_host.config.model import Config, HttpClientConfig
from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.errors import ConfigError
from sentinel_host.grammar import without_password

is_name: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
"""Whether a text may be the name of a guest or an upstream."""

_ONLY_ADDRESS: Final = "expected only scheme, host and port"


def fail(config: Config, at: str, reason: str) -> ConfigError:
    """The error for the key ``at``."""
    return ConfigError(f"{config.file}: {at}: {reason}")


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The reason for a name that is not defined."""
    return f"no {what} is named {name!r} (known: {', '.join(sorted(known)) or 'none'})"


def split_address(address: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` into host (without brackets) and port.

    Raises `ValueError` with what was expected.
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'expected an address such as "127.0.0.1:8080", got {address!r}')
    return host, int(port)


def verify_target(config: Config, at: str, target: str) -> None:
    """Raises `ConfigError` for a text that is not a URL of scheme, host and port."""
    if reason := _target_fault(target):
        raise fail(config, at, f"{reason}, got {without_password(target)!r}")


def verify_client_pair(
    config: Config, at: str, settings: UpstreamConfig | HttpClientConfig, targets: list[str]
) -> None:
    """Raises `ConfigError` for a certificate without its key, or without a target to show it to."""
    if (settings.cert is None) != (settings.key is None):
        missing = "cert" if settings.cert is None else "key"
        raise fail(config, f"{at}.{missing}", "cert and key go together")
    if settings.cert is not None and not is_secure(targets):
        raise fail(config, f"{at}.cert", "has no effect: no target is https")


def verify_network(config: Config, at: str, network: str) -> None:
    """Raises `ConfigError` for a text that is not an IP address or network."""
    try:
        ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise fail(config, at, f"{network!r} is no address or network") from None


def _target_fault(target: str) -> str | None:
    if "@" in target:
        # What a parser says of it may quote a part of the password.
        return _ONLY_ADDRESS
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return "expected http:// or https://"
    if not parts.hostname or port == 0:
        return "expected a host and, optionally, a port"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return _ONLY_ADDRESS
    return None
