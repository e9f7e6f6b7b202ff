"""From a TOML file to a `Config`, or a `ConfigError` that names file, key path and what was
expected.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sentinel_host.config.environment import Environment
from sentinel_host.config.keys import keys_at
from sentinel_host.config.model import (
    Config,
    GuestConfig,
    GuestsConfig,
    RouteConfig,
    ServerConfig,
)
from sentinel_host.config.observing import AccessLogConfig, LogConfig, OtlpConfig, TracingConfig
from sentinel_host.config.units import Bytes, Seconds
from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.config.verify import verify
from sentinel_host.errors import ConfigError
from sentinel_host.spelling import did_you_mean

T = TypeVar("T")

_AT = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_SECTIONS = ("server", "guests", "guest", "upstream", "route", "tracing", "otlp", "log", "access_log")


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file.

    Raises `ConfigError`.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from None
    return parse_config(text, str(path))


def parse_config(text: str, file: str, variables: Mapping[str, str] = os.environ) -> Config:
    """Check a configuration given as text; ``file`` is named in errors and is what paths are
    relative to.

    ``variables`` are those of the environment, by default of this process. Raises `ConfigError`.
    """
    try:
        # Editors on Windows begin a file with a byte order mark, which TOML allows in UTF-8 and
        # tomllib does not.
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from None
    environment = Environment(file, variables)
    filled = environment.fill(data)
    try:
        return msgspec.structs.replace(_checked(filled, file), written=environment.written)
    except ConfigError as error:
        raise environment.hide(error) from None


def _checked(data: dict[str, Any], file: str) -> Config:
    for key in data:
        if key not in _SECTIONS:
            known = ", ".join(_SECTIONS)
            raise ConfigError(f"{file}: {key}: unknown section, expected one of {known}{did_you_mean(key, _SECTIONS)}")
    config = Config(
        file=file,
        server=_convert(file, "server", data.get("server", {}), ServerConfig),
        guests=_convert(file, "guests", data.get("guests", {}), GuestsConfig),
        guest={
            name: _convert(file, f"guest.{name}", value, GuestConfig)
            for name, value in _table(file, "guest", data.get("guest", {})).items()
        },
        upstream=[
            _convert(file, f"upstream[{index}]", value, UpstreamConfig)
            for index, value in enumerate(_list(file, "upstream", data.get("upstream", [])))
        ],
        route=[
            _convert(file, f"route[{index}]", value, RouteConfig)
            for index, value in enumerate(_list(file, "route", data.get("route", [])))
        ],
        otlp=_convert(file, "otlp", data.get("otlp", {}), OtlpConfig),
        log=_convert(file, "log", data.get("log", {}), LogConfig),
        access_log=_optional(file, "access_log", data, AccessLogConfig),
        tracing=_optional(file, "tracing", data, TracingConfig),
    )
    verify(config)
    return config


def _optional(file: str, at: str, data: dict[str, Any], to: type[T]) -> T | None:
    return _convert(file, at, data[at], to) if at in data else None


def quick_config(upstream: str) -> Config:
    """The configuration of ``sentinel run --upstream URL``: everything goes there, through no
    guest.

    Raises `ConfigError`.
    """
    config = Config(
        file="--upstream",
        upstream=[UpstreamConfig(name="upstream", targets=[upstream])],
        route=[RouteConfig(path="/", upstream="upstream")],
    )
    verify(config)
    return config


def _convert(file: str, at: str, value: object, to: type[T]) -> T:
    try:
        return msgspec.convert(value, to, dec_hook=_decode_unit)
    except msgspec.ValidationError as error:
        match = _AT.match(str(error))
        reason, where = (match[1], match[2] or "") if match else (str(error), "")
        raise ConfigError(f"{file}: {at}{where}: {_in_our_words(reason, to, where)}") from None


def _in_our_words(reason: str, kind: type, where: str) -> str:
    if unknown := _UNKNOWN.fullmatch(reason):
        return f"unknown key `{unknown[1]}`{did_you_mean(unknown[1], keys_at(kind, where))}"
    reason = reason.replace("Object missing required field", "missing required key")
    return reason[:1].lower() + reason[1:]


def _decode_unit(kind: type, value: object) -> object:
    if kind is Seconds:
        return Seconds.parse(value)
    if kind is Bytes:
        return Bytes.parse(value)
    raise NotImplementedError(kind)


def _table(file: str, at: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: {at}: expected tables [{at}.NAME], got {type(value).__name__}")
    return value


def _list(file: str, at: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{file}: {at}: expected an array of tables [[{at}]], got {type(value).__name__}")
    return value
