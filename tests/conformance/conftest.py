"""Guests of both languages, called with raw bytes through the native path and through wasmtime-py's
component API.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import msgpack
import pytest
import wasmtime
from wasmtime import component

from guestbuild.assemblyscript_guests import SDK
from guestbuild.places import BUILD, REPOSITORY
from guestbuild.project_guests import build_projects
from guestbuild.rust_guests import build_rust
from sentinel_host.abi.contract import GRANTS, HOOKS, HTTP_ERRORS, LOG_LEVELS, PACKAGE, VERSION, Hook
from sentinel_host.abi.decode import decode_outbound_request
from sentinel_host.abi.encode import encode_response
from sentinel_host.authoring import stamps
from sentinel_host.authoring.c import C
from sentinel_host.authoring.cache import locked
from sentinel_host.authoring.go import Go
from sentinel_host.authoring.language import Language
from sentinel_host.authoring.node import check, install
from sentinel_host.authoring.processes import run
from sentinel_host.errors import GuestError
from sentinel_host.native.guest import SUSPENDED
from sentinel_host.native.log import lines_of
from sentinel_host.sandbox import Grants, GuestEngine, HttpGrant, load_compiled
from sentinel_host.sandbox.instance import SLOTS, Blueprint
from tests.support.instances import compiled, patient_limits, start_instance

HERE = Path(__file__).parent
WIT = REPOSITORY / "wit"
VECTORS = json.loads((HERE.parent / "vectors" / "vectors.json").read_text())
BY_NAME = {hook.name: hook for hook in HOOKS}
ABI = ".".join(map(str, VERSION))
NIL = b"\xc0"


class Refused(Exception):
    """``configure`` answered ``err``."""


class Native:
    """A guest behind the gateway's own call path."""

    def __init__(self, blueprint: Blueprint, config: Any, services: Services) -> None:
        self._log = blueprint.engine.log
        self._log.drain()

        async def fetch(request: bytes, label: str) -> tuple[int, bytes]:
            answer = _service(services, request)
            return (UNREACHABLE, b"") if answer is None else (-1, answer)

        grants = Grants(GRANTS, http=HttpGrant(fetch))
        try:
            self._instance = start_instance(dataclasses.replace(blueprint, grants=grants), _packed(config))
        except GuestError as error:
            raise Refused(error.reason) from None

    def call(self, hook: Hook, record: bytes, context: bytes = b"", last: bool = True) -> bytes:
        """The answer's bytes; ``nil`` for a hook that returns nothing."""
        answer = self._instance.call(SLOTS[hook], record, context, last, b"r")
        while answer is SUSPENDED:
            if self._instance.is_waiting:
                asyncio.run(self._instance.ask())
            answer = self._instance.resume()
        return answer or NIL

    def lines(self) -> list[list[str]]:
        """What was logged since the last time, as ``[level, message]``."""
        return [[LOG_LEVELS[line.level], line.message.decode()] for line in lines_of(self._log.buffer.drain()[0])]


class Component:
    """The same file behind wasmtime-py's component API: no code of the gateway has a part in the
    call.
    """

    def __init__(self, compiled: component.Component, engine: wasmtime.Engine, config: Any, services: Services) -> None:
        self._lines: list[list[str]] = []
        self._keys: dict[bytes, bytes] = {}
        self._services = services
        self._store = wasmtime.Store(engine)
        linker = component.Linker(engine)
        with linker.root() as root:
            for interface, functions in self._host().items():
                with root.add_instance(f"{PACKAGE}/{interface}@{ABI}") as instance:
                    for name, function in functions.items():
                        instance.add_func(name, function)
        self._instance = linker.instantiate(self._store, compiled)
        try:
            configure = self._function(BY_NAME["configure"])
        except KeyError:
            return
        result = configure(self._store, _packed(config))
        configure.post_return(self._store)
        if (isinstance(result, component.Variant) and result.tag == "err") or isinstance(result, str):
            raise Refused(getattr(result, "payload", result))

    def call(self, hook: Hook, record: bytes, context: bytes = b"", last: bool = True) -> bytes:
        """The answer's bytes; ``nil`` for a hook that returns nothing."""
        arguments: list[Any] = [record, context]
        if hook.name == "on-request":
            arguments = [record]
        elif hook.name.endswith("-chunk"):
            arguments = [record, last, context]
        function = self._function(hook)
        answer = function(self._store, *arguments)
        function.post_return(self._store)
        return bytes(answer or NIL)

    def lines(self) -> list[list[str]]:
        """What was logged since the last time, as ``[level, message]``."""
        lines, self._lines = self._lines, []
        return lines

    def _host(self) -> dict[str, dict[str, Callable[..., Any]]]:
        """What the example guests import, in plain Python."""
        return {
            "log": {"write": self._write},
            "clock": {"wall": lambda store: time.time_ns(), "monotonic": lambda store: time.monotonic_ns()},
            "random": {"bytes": lambda store, length: os.urandom(length)},
            "metrics": {
                "add": lambda store, name, labels, value: None,
                "describe": lambda store, name, kind, help, unit, bounds: None,
            },
            "kv": {"get": self._get, "set": self._set, "add": self._add, "delete": self._delete},
            "http-client": {"send": self._send},
        }

    def _write(self, store: Any, level: str, message: str) -> None:
        self._lines.append([level, message])

    def _get(self, store: Any, key: bytes) -> Any:
        return self._keys.get(bytes(key))

    def _set(self, store: Any, key: bytes, value: bytes, ttl: int) -> Any:
        self._keys[bytes(key)] = bytes(value)

    def _add(self, store: Any, key: bytes, delta: int, ttl: int) -> Any:
        if len(key) > 1024:
            return "too-large"
        total = int.from_bytes(self._keys.get(bytes(key), b""), "little", signed=True) + delta
        self._keys[bytes(key)] = total.to_bytes(8, "little", signed=True)
        return total

    def _delete(self, store: Any, key: bytes) -> Any:
        return self._keys.pop(bytes(key), None) is not None

    def _send(self, store: Any, request: bytes) -> Any:
        answer = _service(self._services, bytes(request))
        return "unreachable" if answer is None else answer

    def _function(self, hook: Hook) -> Any:
        interface = self._instance.get_export_index(self._store, f"{PACKAGE}/{hook.interface}@{ABI}")
        if interface is None:
            raise KeyError(hook.interface)
        index = self._instance.get_export_index(self._store, hook.name, interface)
        return self._instance.get_func(self._store, index)


Services = Mapping[str, Mapping[str, tuple[int, str]]]
"""What HTTP services answer, by URL and body: status and body."""

UNREACHABLE = HTTP_ERRORS.index("unreachable")


def _service(services: Services, data: bytes) -> bytes | None:
    request = decode_outbound_request(data)
    answer = services.get(request.url, {}).get(request.body.decode())
    return None if answer is None else encode_response(answer[0], [], answer[1].encode())


def _packed(config: Any) -> bytes:
    return config if isinstance(config, bytes) else bytes(msgpack.packb(config))


class Start(Protocol):
    """Starts the guest in a file with a configuration, or with the bytes of one; the services are
    those to ask.
    """

    def __call__(self, path: Path, config: Any, services: Services = MappingProxyType({})) -> Any: ...


@pytest.fixture(scope="session")
def native() -> Start:
    """Starts a guest behind the native path; each file is compiled once."""
    engine = GuestEngine()

    @functools.cache
    def blueprint(path: Path) -> Blueprint:
        # Each guest has keys of its own.
        name = f"{path.parent.name}-{path.stem}"
        limits, grants = patient_limits(path), Grants(GRANTS)
        return load_compiled(compiled(path), name, str(path), engine, limits, grants).blueprint

    return lambda path, config, services=MappingProxyType({}): Native(blueprint(path), config, services)


@pytest.fixture(scope="session")
def as_component() -> Start:
    """Starts a guest behind the component API; each file is compiled once, and kept for the next
    run in the tests' cache.
    """
    config = wasmtime.Config()
    config.cache = True
    engine = wasmtime.Engine(config)

    @functools.cache
    def loaded(path: Path) -> component.Component:
        return component.Component.from_file(engine, str(path))

    return lambda path, config, services=MappingProxyType({}): Component(loaded(path), engine, config, services)


PROJECTS: dict[str, Language] = {"c": C(), "go": Go()}
LANGUAGES = ["rust", "assemblyscript", "go", "c"]


@pytest.fixture(scope="session", params=LANGUAGES)
def conformance_guest(request: pytest.FixtureRequest) -> Path:
    """The guest that does what its configuration says, built from source."""
    return _build(request.param, "conformance", HERE / "assemblyscript")


@pytest.fixture(scope="session", params=LANGUAGES)
def calling_guest(request: pytest.FixtureRequest) -> Path:
    """The guest that calls the functions of the host that its configuration names, built from
    source.
    """
    return _build(request.param, "host-functions", HERE / "assemblyscript-host")


@pytest.fixture(scope="session")
def rust_calling_guest() -> Path:
    """The same in Rust."""
    return _build("rust", "host-functions", HERE / "assemblyscript-host")


def _build(language: str, name: str, sources: Path) -> Path:
    out: Path = BUILD / "conformance" / language
    out.mkdir(parents=True, exist_ok=True)
    # Files of tests that run at the same time want the same guests.
    with locked(out.with_suffix(".lock")):
        if language == "rust":
            return next(Path(guest.path) for guest in build_rust(HERE / "rust", out) if guest.path.stem == name)
        if language in PROJECTS:
            built = build_projects(PROJECTS[language], HERE / language, out, debug=True)
            return next(guest.path for guest in built if guest.path.stem == name)
        return _build_assemblyscript(name, sources, out / f"{name}.wasm")


def _build_assemblyscript(name: str, sources: Path, path: Path) -> Path:
    stamp, inputs = path.with_suffix(".json"), stamps.tree_digest([sources, SDK, WIT], salt=check())
    if not stamps.is_current(stamp, inputs, path.parent):
        install(SDK)
        asc = ("node", str(SDK / "bin" / "sentinel-asc.mjs"), "build", str(sources), "-o", str(path), "--source-map")
        run(asc, f"building the guest {name} in AssemblyScript")
        stamps.record(stamp, inputs, {path.name: stamps.file_digest(path)})
    return path
