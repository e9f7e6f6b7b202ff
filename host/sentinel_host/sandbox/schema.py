"""A guest's configuration schema, and what of a configuration does not fit it.

The schema is part of the guest's file and is trusted as little as its code. So only keywords with a
cheap and bounded check count: no patterns, no references. wit/ABI.md section 8 lists them. A
guest's ``configure`` may demand more. No library is used: the fast ones turn a schema into Python
code, or bring a regular expression engine and a client for references.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox.text import one_line
from sentinel_host.spelling import did_you_mean

# The example guests' schemas have at most 1 KiB.
_MOST_BYTES: Final = 64 * 1024
# As deep as the contract lets values nest (wit/ABI.md, section 4).
_DEEPEST: Final = 16

_TYPES: Final[Mapping[str, str]] = {
    "object": "a table",
    "array": "an array",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "null": "nothing",
}


class ConfigSchema:
    """The schema that a guest brings; ``text`` is what its author wrote, in one line or more."""

    __slots__ = ("_schema", "text")

    def __init__(self, text: str, schema: Mapping[str, Any]) -> None:
        self.text = text
        self._schema = schema

    def problem(self, config: Mapping[str, Any]) -> tuple[tuple[str, ...], str] | None:
        """The first violation: its place, as keys and ``[index]``, and what is wrong; None if there
        is none.

        Neither shows a value, and keys that the schema does not name are shown as ``*``: they may
        be secrets.
        """
        return next(_problems(config, self._schema, ()), None)


def parse_schema(section: bytes, path: str) -> ConfigSchema | None:
    """The schema in a guest's section ``sentinel:config-schema``; None when it is empty.

    Raises `GuestLoadError`.
    """
    if not section:
        return None
    try:
        if len(section) > _MOST_BYTES:
            raise ValueError(f"{len(section)} bytes, at most {_MOST_BYTES} are allowed")
        text = section.decode()
        schema = msgspec.json.decode(text, type=dict[str, Any])
        _check(schema, 0)
    except (ValueError, RecursionError) as error:
        raise GuestLoadError(f"{path}: config-schema: {one_line(str(error))}") from None
    return ConfigSchema(text, schema)


def _check(schema: object, depth: int) -> None:
    """Raise ValueError unless every keyword that counts has a value that it may have."""
    if depth > _DEEPEST:
        raise ValueError(f"schemas are nested more than {_DEEPEST} deep")
    if not isinstance(schema, dict):
        raise ValueError("a schema is not an object")
    for keyword, value in schema.items():
        allowed = _KEYWORDS.get(keyword)
        if allowed is not None and not allowed(value):
            raise ValueError(f"{keyword} has a value that it cannot have")
    for inner in _subschemas(schema):
        _check(inner, depth + 1)


def _subschemas(schema: Mapping[str, Any]) -> Iterator[object]:
    yield from schema.get("properties", {}).values()
    if "items" in schema:
        yield schema["items"]
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]


def _is_type(value: object) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) and name in _TYPES for name in names)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_KEYWORDS: Final[Mapping[str, Callable[[object], bool]]] = {
    "type": _is_type,
    "enum": lambda value: isinstance(value, list),
    "properties": lambda value: isinstance(value, dict),
    "required": _is_names,
    "additionalProperties": lambda value: isinstance(value, bool | dict),
    "items": lambda value: isinstance(value, dict),
    "minimum": _is_number,
    "maximum": _is_number,
    "minLength": _is_count,
    "maxLength": _is_count,
    "minItems": _is_count,
    "maxItems": _is_count,
    "minProperties": _is_count,
    "maxProperties": _is_count,
}


def _problems(value: object, schema: Mapping[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_has_type(value, name) for name in names):
            yield at, f"expected {' or '.join(_TYPES[name] for name in names)}, found {_described(value)}"
            return
    if "enum" in schema and not any(_same(value, allowed) for allowed in schema["enum"]):
        yield at, f"expected one of {', '.join(msgspec.json.encode(one).decode() for one in schema['enum'])}"
        return
    if _is_number(value):
        yield from _bounds(value, schema, at, "imum", "")
    elif isinstance(value, str):
        yield from _bounds(len(value), schema, at, "Length", " characters")
    elif isinstance(value, list):
        yield from _bounds(len(value), schema, at, "Items", " values")
        for index, item in enumerate(value if "items" in schema else ()):
            yield from _problems(item, schema["items"], (*at, f"[{index}]"))
    elif isinstance(value, dict):
        yield from _bounds(len(value), schema, at, "Properties", " keys")
        yield from _members(value, schema, at)


def _members(
    table: Mapping[str, Any], schema: Mapping[str, Any], at: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key in schema.get("required", ()):
        if key not in table:
            yield at, f"missing key {key!r}"
    for key, value in table.items():
        if key in properties:
            yield from _problems(value, properties[key], (*at, key))
        elif others is False:
            yield at, f"unknown key {one_line(key)!r}{one_line(did_you_mean(key, properties))}"
        elif isinstance(others, dict):
            yield from _problems(value, others, (*at, "*"))


def _bounds(
    size: Any, schema: Mapping[str, Any], at: tuple[str, ...], noun: str, unit: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    least, most = schema.get(f"min{noun}"), schema.get(f"max{noun}")
    if least is not None and size < least:
        yield at, f"expected at least {least}{unit}"
    if most is not None and size > most:
        yield at, f"expected at most {most}{unit}"


def _has_type(value: object, name: str) -> bool:
    match name:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":
            # TOML tells 1.0 from 1, and guests do: the contract has integers and floats.
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return _is_number(value)


def _same(value: object, allowed: object) -> bool:
    """Equal, and not as 1 is to true."""
    return value == allowed and isinstance(value, bool) == isinstance(allowed, bool)


def _described(value: object) -> str:
    return next((words for name, words in _TYPES.items() if _has_type(value, name)), "a value of another type")
