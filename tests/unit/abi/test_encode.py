from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from sentinel_host.abi.encode import encode_config, encode_request_head, encode_response_head, encode_summary
from sentinel_host.messages import Origin, Outcome, RequestHead, ResponseHead, Summary

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vectors.json").read_text())


@pytest.mark.parametrize("vector", [v for v in VECTORS["records"] if not v["other_version"]], ids=lambda v: v["name"])
def test_encodes_what_guests_get(vector: dict[str, Any]) -> None:
    fields = {name.replace("-", "_"): value for name, value in vector["fields"].items()}
    if "headers" in fields:
        fields["headers"] = [(name.encode(), bytes.fromhex(value)) for name, value in fields["headers"]]
    if "client_certificate" in fields:
        fields["client_certificate"] = msgpack.packb(fields["client_certificate"])
    if "origin" in fields:
        fields["origin"] = Origin(fields["origin"])
    if vector["hook"] == "on-request":
        data = encode_request_head(RequestHead(**fields))
    elif vector["hook"] == "on-response":
        data = encode_response_head(ResponseHead(**fields))
    else:
        data = encode_summary(Summary(**fields | {"outcome": Outcome(fields["outcome"])}))
    assert data.hex() == vector["bytes"]


def test_configuration_keeps_toml_types_and_writes_dates_as_text() -> None:
    config = {"a": [1, 2.5, True, "x"], "when": datetime.date(2026, 1, 2), "t": {"b": {}}}
    assert msgpack.unpackb(encode_config(config)) == config | {"when": "2026-01-02"}
