"""The schemas that example guests bring are the same in each language, and every configured guest brings one."""

from __future__ import annotations

import json

import pytest

from sentinel_host.sandbox.artefact import read_artefact
from sentinel_host.sandbox.schema import parse_schema
from tests.support.gateways import ARTEFACTS

RUST = sorted(path.stem for path in (ARTEFACTS / "rust").glob("*.wasm"))
BOTH = [name for name in RUST if (ARTEFACTS / "assemblyscript" / f"{name}.wasm").is_file()]


def text_of(language: str, name: str) -> str:
    schema = parse_schema(read_artefact(ARTEFACTS / language / f"{name}.wasm").config_schema, name)
    assert schema is not None
    return schema.text


@pytest.mark.parametrize("name", RUST)
def test_a_rust_guest_has_a_schema_of_its_configuration(name: str) -> None:
    schema = json.loads(text_of("rust", name))
    assert schema["additionalProperties"] is False
    assert all("description" in member for member in schema["properties"].values())


@pytest.mark.parametrize("name", BOTH)
def test_the_schema_is_the_same_in_both_languages(name: str) -> None:
    assert json.loads(text_of("assemblyscript", name)) == json.loads(text_of("rust", name))
