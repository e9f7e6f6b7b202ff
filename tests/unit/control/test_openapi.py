"""The OpenAPI document of operations."""

from __future__ import annotations

import msgspec

from sentinel_host.control.openapi import Operation, document


class Answer(msgspec.Struct):
    """What is answered."""

    name: str
    parts: list[int] = []


OPERATIONS = [
    Operation("GET", "/things", "All.", list[Answer], query={"limit": "How many."}, errors={400: "Not a number."}),
    Operation("POST", "/things/<path:name>/<any(open, close):action>", "Act.", Answer, takes="text/plain"),
    Operation("GET", "/healthz", "Alive.", None, "text/plain", is_open=True),
]


def test_each_operation_is_described() -> None:
    told = document(OPERATIONS, "1.2.3")
    assert told["info"]["version"] == "1.2.3"
    assert set(told["paths"]) == {"/things", "/things/{name}/{action}", "/healthz"}
    listing = told["paths"]["/things"]["get"]
    schema = listing["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}}
    assert told["components"]["schemas"]["Answer"]["required"] == ["name"]
    assert [each["name"] for each in listing["parameters"]] == ["limit"]
    assert listing["responses"]["400"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Problem"
    }


def test_choices_of_a_path_are_told() -> None:
    acting = document(OPERATIONS, "1")["paths"]["/things/{name}/{action}"]["post"]
    assert [each.get("schema") for each in acting["parameters"]] == [
        {"type": "string"},
        {"type": "string", "enum": ["open", "close"]},
    ]
    assert acting["requestBody"]["content"] == {"text/plain": {"schema": {"type": "string"}}}


def test_only_what_is_open_needs_no_token() -> None:
    paths = document(OPERATIONS, "1")["paths"]
    assert "security" not in paths["/healthz"]["get"]
    assert paths["/things"]["get"]["security"] == [{"token": []}]
    assert "401" in paths["/things"]["get"]["responses"]
