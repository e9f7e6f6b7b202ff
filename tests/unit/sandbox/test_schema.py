"""What of a configuration does not fit a guest's schema, and which schemas are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox.artefact import CONFIG_SCHEMA, parse_artefact
from sentinel_host.sandbox.binary import custom_section
from sentinel_host.sandbox.schema import ConfigSchema, parse_schema
from tests.wat import index


def schema_of(schema: dict[str, Any]) -> ConfigSchema:
    parsed = parse_schema(json.dumps(schema).encode(), "guest.wasm")
    assert parsed is not None
    return parsed


NUMBER = {"type": "number", "minimum": 0, "maximum": 1.5}
TABLE = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, {"anything": [1]}),
        ({"type": "string"}, "a"),
        ({"type": "boolean"}, True),
        ({"type": "integer"}, 7),
        ({"type": ["integer", "string"]}, "a"),
        ({"type": "null"}, None),
        (NUMBER, 0),
        (NUMBER, 1.5),
        ({"enum": ["a", 1, None]}, 1),
        ({"type": "string", "minLength": 2, "maxLength": 2}, "äö"),
        ({"type": "array", "minItems": 1, "maxItems": 2}, [1, "a"]),
        (TABLE, {"a": ["b"], "c": []}),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"b": 1}),
        ({"minProperties": 1, "maxProperties": 1}, {"a": 1}),
        ({"pattern": "^a$", "$ref": "https://example.org/", "title": "A"}, "b"),
        # A keyword counts only for values of its own type.
        ({"minLength": 5, "minItems": 5, "required": ["a"]}, 1),
        ({"minimum": 5}, "a"),
    ],
)
def test_what_fits(schema: dict[str, Any], value: object) -> None:
    assert schema_of({"properties": {"key": schema}}).problem({"key": value}) is None


@pytest.mark.parametrize(
    ("schema", "value", "at", "what"),
    [
        ({"type": "string"}, 1, (), "expected a string, found an integer"),
        ({"type": "integer"}, True, (), "expected an integer, found a boolean"),
        ({"type": "integer"}, 1.0, (), "expected an integer, found a number"),
        ({"type": "number"}, False, (), "expected a number, found a boolean"),
        ({"type": ["string", "array"]}, {}, (), "expected a string or an array, found a table"),
        ({"type": "object"}, None, (), "expected a table, found nothing"),
        ({"enum": ["a", 1]}, "b", (), 'expected one of "a", 1'),
        ({"enum": [1]}, True, (), "expected one of 1"),
        (NUMBER, -0.1, (), "expected at least 0"),
        (NUMBER, 2, (), "expected at most 1.5"),
        ({"minLength": 2}, "ä", (), "expected at least 2 characters"),
        ({"maxLength": 1}, "ab", (), "expected at most 1 characters"),
        ({"minItems": 1}, [], (), "expected at least 1 values"),
        ({"maxProperties": 0}, {"a": 1}, (), "expected at most 0 keys"),
        ({"items": {"type": "string"}}, ["a", 1], ("[1]",), "expected a string, found an integer"),
        (TABLE, {"secret": ["a", 2]}, ("*", "[1]"), "expected a string, found an integer"),
        ({"required": ["a", "b"]}, {"a": 1}, (), "missing key 'b'"),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1, "b": 2}, (), "unknown key 'b'"),
        ({"properties": {"a": {"properties": {"b": {"type": "string"}}}}}, {"a": {"b": 1}}, ("a", "b"),
         "expected a string, found an integer"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_without_its_value(
    schema: dict[str, Any], value: object, at: tuple[str, ...], what: str
) -> None:
    assert schema_of({"properties": {"key": schema}}).problem({"key": value}) == (("key", *at), what)


def test_without_a_section_there_is_no_schema() -> None:
    assert parse_schema(b"", "guest.wasm") is None


@pytest.mark.parametrize(
    ("section", "what"),
    [
        (b"{", "config-schema: "),
        (b"[]", "config-schema: "),
        (b"\xff{}", "config-schema: "),
        (b" " * (64 * 1024) + b"{}", "65538 bytes, at most 65536 are allowed"),
        (b'{"type": "text"}', "type has a value that it cannot have"),
        (b'{"minimum": "1"}', "minimum has a value that it cannot have"),
        (b'{"maxLength": -1}', "maxLength has a value that it cannot have"),
        (b'{"minItems": true}', "minItems has a value that it cannot have"),
        (b'{"required": [1]}', "required has a value that it cannot have"),
        (b'{"properties": []}', "properties has a value that it cannot have"),
        (b'{"properties": {"a": true}}', "a schema is not an object"),
        (b'{"items": [{}]}', "items has a value that it cannot have"),
        (b'{"additionalProperties": {"items": {"type": 1}}}', "type has a value that it cannot have"),
        (b'{"items":' * 17 + b"{}" + b"}" * 17, "schemas are nested more than 16 deep"),
        (b'{"items":' * 5000 + b"{}" + b"}" * 5000, "config-schema: "),
    ],
)
def test_a_schema_that_is_none_is_refused(section: bytes, what: str) -> None:
    with pytest.raises(GuestLoadError) as refused:
        parse_schema(section, "guest.wasm")
    assert str(refused.value).startswith("guest.wasm: config-schema: ")
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_section_is_found_in_the_file_and_may_be_there_once() -> None:
    section = custom_section(CONFIG_SCHEMA, b'{"type": "object"}')
    data = index.wasm("hostile/unreachable") + section
    assert parse_artefact(data, "guest.wasm").config_schema == b'{"type": "object"}'
    with pytest.raises(GuestLoadError, match="has 2 sections sentinel:config-schema"):
        parse_artefact(data + section, "guest.wasm")
