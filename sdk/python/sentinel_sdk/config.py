"""A dataclass as a guest's configuration: read from what the operator wrote, and described by a
JSON
Schema.

Fields may be `str`, `int`, `float`, `bool`, `Any`, `Literal`, another dataclass, lists and
dictionaries of those, and each of them or None. Messages name the key and never show a value, which
may be a secret.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from sentinel_sdk.errors import ConfigError

_Config = TypeVar("_Config")

_NAMES = {str: "text", int: "an integer", float: "a number", bool: "true or false"}
_SCHEMAS = {str: "string", int: "integer", float: "number", bool: "boolean"}
# What the gateway owns: wit/types.wit, header-edit.
_OWNED = frozenset(
    [
        *("connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    ]
)
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def read(kind: type[_Config], value: Any, at: str = "") -> _Config:
    """A configuration as the dataclass ``kind``. Raises `ConfigError`."""
    if not isinstance(value, dict):
        raise ConfigError(f"{at or 'the configuration'}: expected a map")
    hints = typing.get_type_hints(kind)
    known = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind)) if field.init}
    for key in value:
        if key not in known:
            raise ConfigError(f"{_below(at, key)}: no such key (known: {', '.join(sorted(known))})")
    given = {}
    for name, field in known.items():
        if name in value:
            given[name] = _value(hints[name], value[name], _below(at, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{_below(at, name)}: has to be given")
    try:
        return kind(**given)
    except ValueError as error:
        raise ConfigError(f"{at}: {error}" if at else str(error)) from None


def _below(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _value(kind: Any, value: Any, at: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _value(next(each for each in arguments if each is not type(None)), value, at)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{at}: expected one of {', '.join(map(repr, arguments))}")
        return value
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise ConfigError(f"{at}: expected a list")
        return origin(_value(arguments[0], each, f"{at}[{index}]") for index, each in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{at}: expected a map")
        # Keys may be secrets as well.
        return {key: _value(arguments[1], each, f"{at}.*") for key, each in value.items()}
    if dataclasses.is_dataclass(kind):
        return read(typing.cast(type, kind), value, at)
    if kind is float and type(value) is int:
        return float(value)
    if kind not in _NAMES:
        raise TypeError(f"{at}: a configuration cannot have a field of type {kind}")
    if type(value) is not kind:
        raise ConfigError(f"{at}: expected {_NAMES[kind]}")
    return value


def schema(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema of a dataclass; ``metadata={"schema": {...}}`` of a field is laid over its
    own.
    """
    hints = typing.get_type_hints(kind)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        described = _schema(hints[field.name])
        if field.default is not dataclasses.MISSING and field.default is not None:
            described["default"] = field.default
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
        properties[field.name] = described | field.metadata.get("schema", {})
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": required} if required else {})


def _schema(kind: Any) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if origin in (Union, types.UnionType):
        return _schema(next(each for each in arguments if each is not type(None)))
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (list, tuple):
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if dataclasses.is_dataclass(kind):
        return schema(typing.cast(type, kind))
    if kind not in _SCHEMAS:
        raise TypeError(f"a configuration cannot have a field of type {kind}")
    return {"type": _SCHEMAS[kind]}


def header_name(name: str) -> str:
    """A header's name in lower case. Raises ValueError for one that no guest may set."""
    lower = name.lower()
    if not lower or not _TOKEN.issuperset(lower):
        raise ValueError(f"{name!r} is no header name")
    if lower in _OWNED:
        raise ValueError(f"the gateway owns the header {lower}")
    return lower


def header_value(value: str) -> str:
    """The value. Raises ValueError, without showing it, for one that a header cannot carry."""
    if any((char < " " and char != "\t") or char == "\x7f" for char in value):
        raise ValueError("a header cannot carry control characters")
    return value
