"""Hooks from bytes to bytes, for a component and for unit tests alike."""

from __future__ import annotations

import traceback
from typing import Any

from sentinel_sdk import _msgpack, config, log
from sentinel_sdk.errors import ConfigError
from sentinel_sdk.guest import Guest, config_class
from sentinel_sdk.message import IncomingResponse, Request, RequestChunk, ResponseChunk, Summary

_unpack = _msgpack.unpack
_pack = _msgpack.pack


class Runner:
    """One instance of a guest. What a hook raises goes to the log with its traceback, and on."""

    __slots__ = ("_kind", "guest")

    def __init__(self, kind: type[Guest[Any]]) -> None:
        self._kind = config_class(kind)
        self.guest = kind()

    def configure(self, data: bytes) -> None:
        """Raises `ConfigError` for a configuration that is refused."""
        try:
            value = _unpack(data)
        except UnicodeDecodeError:
            raise ConfigError("the configuration has text that is not UTF-8") from None
        try:
            self.guest.configure(config.read(self._kind, value))
        except ConfigError:
            raise
        except ValueError as error:
            raise ConfigError(str(error)) from None
        except BaseException:
            _report()
            raise

    def on_request(self, head: bytes) -> bytes:
        try:
            request = Request(head)
            return _pack(request.action(self.guest.on_request(request)))
        except BaseException:
            _report()
            raise

    def on_response(self, head: bytes, context: bytes) -> bytes:
        try:
            response = IncomingResponse(head, context)
            return _pack(response.action(self.guest.on_response(response)))
        except BaseException:
            _report()
            raise

    def on_complete(self, summary: bytes, context: bytes) -> None:
        try:
            self.guest.on_complete(Summary(_unpack(summary), context))
        except BaseException:
            _report()
            raise

    def on_request_chunk(self, data: bytes, last: bool, context: bytes) -> bytes:
        try:
            chunk = RequestChunk(data, last, context)
            return _pack(chunk.action(self.guest.on_request_chunk(chunk)))
        except BaseException:
            _report()
            raise

    def on_response_chunk(self, data: bytes, last: bool, context: bytes) -> bytes:
        try:
            chunk = ResponseChunk(data, last, context)
            return _pack(chunk.action(self.guest.on_response_chunk(chunk)))
        except BaseException:
            _report()
            raise


def _report() -> None:
    log.error(traceback.format_exc().rstrip())
