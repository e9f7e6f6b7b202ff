"""A configuration as people are shown it: every key with its value, defaults included, and no
secret.

Rule 1: what an environment variable holds may be a secret. Its place is shown as it is written.
Rule 2: what guests are configured with may hold secrets, and only guests know which.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sentinel_host.config.environment import dotted
from sentinel_host.config.model import Config
from sentinel_host.config.units import Bytes, Seconds
from sentinel_host.grammar import without_password

HIDDEN: Final = "(hidden)"
"""Stands for a value that is not shown."""

_NO_SECTIONS: Final = frozenset(("file", "files", "written"))

_SECRET: Final = re.compile(
    r"server\.admin_token"
    r"|upstream\[\d+\]\.sticky\.secret"
    r"|guest\.(?:'.*'|[^.]+)\.config"
    r"|route\[\d+\]\.chain\[\d+\]\.config"
    r"|route\[\d+\]\.headers\..*(?:authorization|cookie|key|password|secret|token).*"
    # What is sent along to a collector.
    r"|[a-z_.]+\.headers\..*"
).fullmatch


def effective(config: Config) -> dict[str, Any]:
    """The sections, as plain values; durations and sizes as an operator writes them."""
    return {section: shown(config, section, getattr(config, section)) for section in sections(config)}


def sections(config: Config) -> list[str]:
    """The names of the sections."""
    return [name for name in config.__struct_fields__ if name not in _NO_SECTIONS]


def shown(config: Config, key: str, value: Any) -> Any:
    """A value of the configuration, by the path of its key."""
    if key in config.written:
        return config.written[key]
    if value and _SECRET(key):
        return HIDDEN
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return {name: shown(config, f"{key}.{name}", getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: shown(config, dotted(key, name), each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(config, f"{key}[{index}]", each) for index, each in enumerate(value)]
    if isinstance(value, Seconds | Bytes):
        return value.written()
    return without_password(value) if isinstance(value, str) and "://" in value and "@" in value else value
