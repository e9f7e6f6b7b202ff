"""The admin API as an OpenAPI document, from the operations that serve it and the structs that they
answer with.

A library for this would serve the same document, but owns how requests are read and answers are
written. The structs say everything already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

_REFERENCE: Final = "#/components/schemas/{name}"
# Parts of a rule of Quart's: <name>, <converter:name>, <any(a, b):name>.
_PART: Final = re.compile(r"<(?:(\w+)(?:\(([^)]*)\))?:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the admin side can be asked.

    ``rule`` is its path, as Quart has it. ``answer`` is the type of a JSON answer, or None for what
    ``media_type`` says. ``takes`` is the media type of the request's body, if there is one.
    ``query`` describes parameters of the query by name, and ``errors`` the statuses that answer
    otherwise. Whoever is not signed in may ask what is ``is_open``.
    """

    method: str
    rule: str
    summary: str
    answer: Any = None
    media_type: str = "application/json"
    takes: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[int, str] = field(default_factory=dict)
    is_open: bool = False

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        return _PART.sub(lambda part: f"{{{part[3]}}}", self.rule)

    def parameters(self) -> list[dict[str, Any]]:
        """Those of the path and the query."""
        found: list[dict[str, Any]] = []
        for _, choices, name in _PART.findall(self.rule):
            schema: dict[str, Any] = {"type": "string"}
            if choices:
                schema["enum"] = [choice.strip() for choice in choices.split(",")]
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
        for name, told in self.query.items():
            found.append({"name": name, "in": "query", "description": told, "schema": {"type": "integer"}})
        return found


class Problem(msgspec.Struct, frozen=True):
    """Why something was not done."""

    error: str


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The document, in OpenAPI 3.1."""
    answers = [operation.answer for operation in operations if operation.answer is not None]
    schemas, components = msgspec.json.schema_components([*answers, Problem], ref_template=_REFERENCE)
    known = dict(zip(map(id, [*answers, Problem]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sentinel's admin API", "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation, schemas: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    schema = schemas[id(operation.answer)] if operation.answer is not None else {"type": "string"}
    problem = {"application/json": {"schema": schemas[id(Problem)]}}
    responses: dict[str, Any] = {"200": {"description": "OK", "content": {operation.media_type: {"schema": schema}}}}
    for status, told in operation.errors.items():
        responses[str(status)] = {"description": told, "content": problem}
    if not operation.is_open:
        responses[str(int(HTTPStatus.UNAUTHORIZED))] = {"description": "The admin token is missing or wrong."}
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if parameters := operation.parameters():
        described["parameters"] = parameters
    if operation.takes is not None:
        body = {operation.takes: {"schema": {"type": "string"}}}
        described["requestBody"] = {"required": True, "content": body}
    if not operation.is_open:
        described["security"] = [{"token": []}]
    return described
