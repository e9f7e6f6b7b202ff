"""What of a configuration can change while it is served."""

from __future__ import annotations

from typing import Final

import msgspec

from sentinel_host.config.files import with_known_files
from sentinel_host.config.model import Config

# What was opened, made or promised at the start: sockets, shared memory, processes, connections to
# a store.
_FIXED: Final = {
    "server": (
        "bind",
        "quic_bind",
        "admin",
        "admin_token",
        "admin_token_file",
        "tls",
        "workers",
        "grace",
        "lame_duck",
        "limits",
        "limit_slots",
        "kv_memory",
        "stage_times",
        "limit_store",
    ),
    "otlp": ("endpoint", "headers", "timeout", "ca", "service", "metrics", "interval", "logs"),
    "log": ("format", "level", "file"),
    "guests": ("directory", "verify_keys", "trust_standard", "watch", "cache", "max_bytes", "compile_time"),
}


def fixed_changes(old: Config, new: Config) -> list[str]:
    """The keys that differ and are read at the start only, such as ``server.bind``."""
    return [
        f"{section}.{key}"
        for section, keys in _FIXED.items()
        for key in keys
        if getattr(getattr(old, section), key) != getattr(getattr(new, section), key)
    ]


def with_fixed(old: Config, new: Config) -> Config:
    """``new``, but for those keys: they stay as they were, and so do the files that only they
    name.
    """
    kept = {
        section: msgspec.structs.replace(
            getattr(new, section), **{key: getattr(getattr(old, section), key) for key in keys}
        )
        for section, keys in _FIXED.items()
    }
    return with_known_files(msgspec.structs.replace(new, **kept), new.files, old.files)
