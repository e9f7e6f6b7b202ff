"""Reading a configuration once, for every process that is to serve it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sentinel_host.config import Config, parse_config, quick_config
from sentinel_host.control import ConfigSource
from sentinel_host.errors import ConfigError


def read_source(file: str, upstream: str | None, bind: str | None) -> ConfigSource:
    """The content of ``file``, unless everything goes to one ``upstream``.

    Raises `ConfigError` when it cannot be read; `parse_source` checks it.
    """
    if upstream is not None:
        return ConfigSource("--upstream", upstream=upstream, bind=bind)
    try:
        return ConfigSource(file, text=Path(file).read_text(encoding="utf-8"), bind=bind)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}") from None


def parse_source(source: ConfigSource) -> Config:
    """Raises `ConfigError` that names the file and the key."""
    config = quick_config(source.upstream or "") if source.text is None else parse_config(source.text, source.file)
    if source.bind is not None:
        config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, bind=[source.bind]))
    return msgspec.structs.replace(config, files=source.files)
