from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import fastjsonschema

from sentinel_sdk import ConfigError, Guest, Request, RequestChunk, Response


@dataclass
class Config:
    schema: dict[str, Any] = field(
        metadata={"schema": {"description": "The JSON Schema (draft 4, 6 or 7) of a request's body."}}
    )
    max_bytes: int = field(
        default=1 << 20, metadata={"schema": {"description": "The largest body that is read.", "minimum": 1}}
    )


class JsonSchema(Guest[Config]):
    """Refuses requests whose JSON is not what a schema says. The validator is a package from
    PyPI.
    """

    def configure(self, config: Config) -> None:
        if config.max_bytes < 1:
            raise ConfigError("max_bytes: at least 1")
        self.max_bytes = config.max_bytes
        try:
            # References to other documents would be fetched, which a guest cannot do.
            self.validate: Callable[[Any], Any] = fastjsonschema.compile(config.schema, handlers=_NoHandlers())
        except fastjsonschema.JsonSchemaDefinitionException as error:
            raise ConfigError(f"schema: {error}") from None

    def on_request(self, request: Request) -> Response | None:
        kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            request.buffer_body(self.max_bytes)
        return None

    def on_request_chunk(self, chunk: RequestChunk) -> Response | None:
        try:
            self.validate(json.loads(chunk.data))
        except fastjsonschema.JsonSchemaValueException as error:
            where = "/".join(map(str, error.path[1:]))
            return Response.json({"error": error.message, "at": f"/{where}" if where else ""}, 422)
        except (ValueError, RecursionError):
            return Response.json({"error": "the body is no JSON"}, 400)
        return None


class _NoHandlers(dict[str, Callable[[str], Any]]):
    def __contains__(self, scheme: object) -> bool:
        return True

    def __getitem__(self, scheme: str) -> Callable[[str], Any]:
        raise ConfigError(f"schema: a reference to another document ({scheme}:) cannot be followed")
