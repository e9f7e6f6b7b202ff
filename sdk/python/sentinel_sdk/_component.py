"""The component's side: the exports of its world, its imports as the host, and what becomes of the
standard library where there is no operating system.

It is imported while the guest is built. What it leaves in memory is in every instance: the module
of the guest is imported, and its class made, once for all.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import importlib
import json
import linecache
import logging
import os
import random as _random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from componentize_py_types import Err
from wit_world.imports import log as _log

from sentinel_sdk import _host, log
from sentinel_sdk._run import Runner
from sentinel_sdk.config import schema
from sentinel_sdk.errors import ConfigError, GrantError, HttpError, KvError
from sentinel_sdk.guest import config_class, guest_class, hooks_of

_KV_ERRORS = ("full", "too-large", "not-a-number", "unavailable")
_HTTP_ERRORS = ("denied", "invalid", "too-many", "timeout", "unreachable", "too-large")
_LEVELS = tuple(_log.Level)


def _imported(name: str) -> Any:
    """An interface of the world; None for one that the guest is not granted."""
    try:
        return importlib.import_module(f"wit_world.imports.{name}")
    except ImportError:
        return None


_clock, _rand, _metrics = _imported("clock"), _imported("random"), _imported("metrics")
_kv, _http = _imported("kv"), _imported("http_client")


def _granted(interface: Any, function: str, grant: str) -> Any:
    if interface is None:
        raise GrantError(function, grant)
    return interface


class _ComponentHost:
    """See `sentinel_sdk._host.Host`."""

    def log(self, level: int, text: str) -> None:
        _log.write(_LEVELS[level], text)

    def wall(self) -> int:
        return int(_granted(_clock, "clock.wall", "clock").wall())

    def monotonic(self) -> int:
        return int(_granted(_clock, "clock.monotonic", "clock").monotonic())

    def random_bytes(self, count: int) -> bytes:
        return bytes(_granted(_rand, "random.bytes", "random").bytes(count))

    def random_number(self) -> int:
        return int(_granted(_rand, "random.number", "random").number())

    def metrics_add(self, name: str, labels: _host.Labels, value: int) -> None:
        _granted(_metrics, "metrics.add", "metrics").add(name, list(labels), value)

    def metrics_observe(self, name: str, labels: _host.Labels, value: float) -> None:
        _granted(_metrics, "metrics.observe", "metrics").observe(name, list(labels), value)

    def metrics_describe(self, name: str, kind: int, help: str, unit: str, bounds: Sequence[float]) -> None:
        granted = _granted(_metrics, "metrics.describe", "metrics")
        granted.describe(name, tuple(granted.Kind)[kind], help, unit, list(bounds))

    def kv_get(self, key: bytes) -> bytes | None:
        found = _asked(_granted(_kv, "kv.get", "kv").get, key)
        return None if found is None else bytes(found)

    def kv_set(self, key: bytes, value: bytes, ttl: int) -> None:
        _asked(_granted(_kv, "kv.set", "kv").set, key, value, ttl)

    def kv_delete(self, key: bytes) -> bool:
        return bool(_asked(_granted(_kv, "kv.delete", "kv").delete, key))

    def kv_add(self, key: bytes, delta: int, ttl: int) -> int:
        return int(_asked(_granted(_kv, "kv.add", "kv").add, key, delta, ttl))

    def http_send(self, request: bytes) -> bytes:
        try:
            return bytes(_granted(_http, "http.send", "http-client").send(request))
        except Err as error:
            raise HttpError(_HTTP_ERRORS[error.value.value]) from None


def _asked(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except Err as error:
        raise KvError(_KV_ERRORS[error.value.value]) from None


class _Stream:
    """A text stream whose lines go to the log."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._pending = ""

    def write(self, text: str) -> int:
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            self._write(line)
        return len(text)

    def flush(self) -> None:
        if self._pending:
            self._write(self._pending)
            self._pending = ""

    def isatty(self) -> bool:
        return False


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        level = 1 + (record.levelno >= 20) + (record.levelno >= 30) + (record.levelno >= 40)
        _host.host().log(level, self.format(record))


def _refuse(names: tuple[str, ...], module: Any, grant: str) -> None:
    """Let functions of the standard library say which grant they need, in place of ending the
    instance.
    """
    for name in names:
        shown = f"{module.__name__}.{name}"

        def refused(*arguments: Any, shown: str = shown, **options: Any) -> NoReturn:
            raise GrantError(shown, grant)

        setattr(module, name, refused)


_TIMES = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "gmtime", "localtime")
_RANDOM = tuple(name for name in _random.__all__ if name not in ("Random", "SystemRandom", "seed"))


class _NoTime:
    """What `logging` asks for the time of a record, which the gateway's log writes by itself."""

    time = time_ns = staticmethod(lambda: 0)


def _prepare_library() -> None:
    """Before the guest's module is imported, whose `from time import time` must get what counts."""
    for name in _ENCODINGS:
        with contextlib.suppress(LookupError):
            codecs.lookup(name)
    sys.stdout = _Stream(log.info)
    sys.stderr = _Stream(log.warn)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.DEBUG, handlers=[_Handler()], format="%(name)s: %(message)s")
    logging.time = _NoTime  # type: ignore[attr-defined]
    if _clock is None:
        _refuse(_TIMES, time, "clock")
    if _rand is None:
        _refuse(_RANDOM, _random, "random")


# They are modules, which are imported when they are first asked for.
_ENCODINGS = (
    *("ascii", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "idna", "punycode"),
    *("unicode_escape", "raw_unicode_escape", "hex", "base64", "zlib"),
)

_runner: Runner
_is_seeded = _rand is None


def start(module: str) -> None:
    """Import the guest's module, and leave word of what it is for the build to find."""
    global _runner
    _host.use(_ComponentHost())
    _prepare_library()
    importlib.import_module(module)
    kind = guest_class(module)
    _runner = Runner(kind)
    _keep_sources()
    described = schema(config_class(kind))
    hooks = set(hooks_of(kind))
    if described["properties"] or not _is_seeded:
        hooks.add("configure")
    told = {"hooks": sorted(hooks), "schema": described}
    text = json.dumps(told, separators=(",", ":")).encode()
    global _told
    _told = b"".join((b"sentinel", b"-guest:", b"%08x" % len(text), hashlib.sha256(text).hexdigest().encode(), text))


_told = b""


def _keep_sources() -> None:
    """Read the lines of every module, for tracebacks: there are no files later."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and "/python-lib" not in file:
            lines = linecache.getlines(file)
            # Without a time of change they are not looked at again.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)


def _begin() -> None:
    """Once in an instance: all of them begin with the memory that the build left."""
    global _is_seeded
    if not _is_seeded:
        _is_seeded = True
        _random.seed(_host.host().random_bytes(32))


def _give_up() -> NoReturn:
    """End the instance, whose exception is in the log: the runtime would print it once more."""
    os.abort()


class Lifecycle:
    def configure(self, config: bytes) -> None:
        try:
            _begin()
            _runner.configure(config)
        except ConfigError as error:
            raise Err(str(error)) from None
        except BaseException:
            _give_up()


class RequestHandler:
    def on_request(self, head: bytes) -> bytes:
        try:
            return _runner.on_request(head)
        except BaseException:
            _give_up()


class ResponseHandler:
    def on_response(self, head: bytes, context: bytes) -> bytes:
        try:
            return _runner.on_response(head, context)
        except BaseException:
            _give_up()


class CompletionHandler:
    def on_complete(self, summary: bytes, context: bytes) -> None:
        try:
            _runner.on_complete(summary, context)
        except BaseException:
            _give_up()


class RequestBodyHandler:
    def on_request_chunk(self, chunk: bytes, last: bool, context: bytes) -> bytes:
        try:
            return _runner.on_request_chunk(chunk, last, context)
        except BaseException:
            _give_up()


class ResponseBodyHandler:
    def on_response_chunk(self, chunk: bytes, last: bool, context: bytes) -> bytes:
        try:
            return _runner.on_response_chunk(chunk, last, context)
        except BaseException:
            _give_up()
