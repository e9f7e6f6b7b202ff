"""Both SDKs write and read exactly the bytes of tests/vectors, on the native path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import BY_NAME, VECTORS, Start


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=lambda v: f"{v['hook']}: {v['name']}")
def test_answers(vector: dict[str, Any], conformance_guest: Path, native: Start) -> None:
    guest = native(conformance_guest, {"hook": vector["hook"], "ops": vector["ops"]})
    # An empty record of the hook's own type would not do: every field of a head is there.
    record = next((r["bytes"] for r in VECTORS["records"] if r["hook"] == vector["hook"]), "6368756e6b")
    assert guest.call(BY_NAME[vector["hook"]], bytes.fromhex(record)).hex() == vector["bytes"]


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda v: v["name"])
def test_records(vector: dict[str, Any], conformance_guest: Path, native: Start) -> None:
    guest = native(conformance_guest, {"hook": vector["hook"], "ops": [["dump"]]})
    guest.lines()
    context = bytes.fromhex(vector["context"] or "")
    answer = guest.call(BY_NAME[vector["hook"]], bytes.fromhex(vector["bytes"]), context)
    if vector["hook"] == "on-complete":
        assert guest.lines() == [["info", vector["dump"]]]
    else:
        assert vector["dump"].encode() in answer
