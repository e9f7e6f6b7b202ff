"""The base of a guest, and its hooks."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, ClassVar, Generic, TypeVar

from sentinel_sdk.message import IncomingResponse, Request, RequestChunk, Response, ResponseChunk, Summary

Config = TypeVar("Config")

HOOKS = {
    "configure": "configure",
    "on_request": "on-request",
    "on_response": "on-response",
    "on_complete": "on-complete",
    "on_request_chunk": "on-request-chunk",
    "on_response_chunk": "on-response-chunk",
}
"""The methods that are hooks, with the contract's names."""


@dataclasses.dataclass(frozen=True)
class NoConfig:
    """The configuration of a guest that takes none."""


class Guest(Generic[Config]):
    """A guest: extend it and write the hooks that are needed; the gateway never calls the others.

    `Config` is a dataclass, as in ``class Limits(Guest[LimitsConfig])``. The class is made once per
    instance, without arguments. There are several instances, and one request may meet more than one
    of them: what a request needs later goes into `Request.set_context`.
    """

    config: Config
    """The configuration."""
    _classes: ClassVar[list[type[Guest[Any]]]] = []

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls):
            if name.startswith("on_") and name not in HOOKS:
                raise TypeError(f"{cls.__qualname__}.{name} is no hook (hooks: {', '.join(HOOKS)})")
        Guest._classes.append(cls)

    def configure(self, config: Config) -> None:
        """Take the configuration; by default it is kept. `ConfigError` or `ValueError` refuse
        it.
        """
        self.config = config

    def on_request(self, request: Request) -> Response | None:
        """Return None to go on, with the changes made to ``request``, or answer it."""
        return None

    def on_response(self, response: IncomingResponse) -> Response | None:
        """Return None to go on, with the changes made to ``response``, or send another one."""
        return None

    def on_complete(self, summary: Summary) -> None:
        """Learn how a request ended."""

    def on_request_chunk(self, chunk: RequestChunk) -> Response | None:
        """Return None to pass the piece on, changed by ``chunk.replace``, or answer the request."""
        return None

    def on_response_chunk(self, chunk: ResponseChunk) -> Response | None:
        """Return None to pass the piece on, changed by ``chunk.replace``, or send another
        response.
        """
        return None


def config_class(guest: type[Guest[Any]]) -> type[Any]:
    """The dataclass that a guest is configured by."""
    for kind in guest.__mro__:
        for base in getattr(kind, "__orig_bases__", ()):
            if typing.get_origin(base) is Guest:
                (argument,) = typing.get_args(base)
                if not dataclasses.is_dataclass(argument):
                    raise TypeError(f"{guest.__qualname__}: Guest[...] takes a dataclass")
                return typing.cast(type, argument)
    return NoConfig


def hooks_of(guest: type[Guest[Any]]) -> list[str]:
    """The contract's names of the hooks that a guest has written."""
    return [hook for method, hook in HOOKS.items() if getattr(guest, method) is not getattr(Guest, method)]


def guest_class(module: str) -> type[Guest[Any]]:
    """The one guest that a module defines. Raises TypeError if there is none or another one."""
    found = [kind for kind in Guest._classes if kind.__module__ == module]
    if len(found) != 1:
        raise TypeError(f"{module} defines {len(found)} classes that extend Guest, and has to define one")
    return found[0]
