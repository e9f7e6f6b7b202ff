"""The schemas that example guests bring are the same in each language, and every configured guest
brings one.
"""

from __future__ import annotations

import json

import pytest

from sentinel_host.sandbox.artefact import read_artefact
from sentinel_host.sandbox.schema import parse_schema
from tests.support.gateways import ARTEFACTS

RUST = sorted(path.stem for path in (ARTEFACTS / "rust").glob("*.wasm"))
OTHERS = sorted(
    f"{path.parent.name}/{path.stem}"
    for path in ARTEFACTS.glob("*/*.wasm")
    if path.parent.name != "rust" and path.stem in RUST
)


def text_of(language: str, name: str) -> str:
    schema = parse_schema(read_artefact(ARTEFACTS / language / f"{name}.wasm").config_schema, name)
    assert schema is not None
    return schema.text


@pytest.mark.parametrize("name", RUST)
def test_a_rust_guest_has_a_schema_of_its_configuration(name: str) -> None:
    schema = json.loads(text_of("rust", name))
    assert schema["additionalProperties"] is False
    assert all("description" in member for member in schema["properties"].values())


@pytest.mark.parametrize("guest", OTHERS)
def test_the_schema_is_the_same_in_each_language(guest: str) -> None:
    language, _, name = guest.partition("/")
    assert json.loads(text_of(language, name)) == json.loads(text_of("rust", name))
