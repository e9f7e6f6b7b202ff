"""Guests of both languages, called with raw bytes through the native path and through wasmtime-py's component API."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import wasmtime
from wasmtime import component

from guestbuild.assemblyscript_guests import SDK
from guestbuild.node import install
from guestbuild.places import BUILD
from guestbuild.processes import run
from guestbuild.rust_guests import build_rust
from sentinel_host.abi.contract import HOOKS, LOG_LEVELS, PACKAGE, VERSION, Hook
from sentinel_host.errors import GuestError
from sentinel_host.sandbox import GuestEngine, Limits
from sentinel_host.sandbox.artefact import read_artefact
from sentinel_host.sandbox.instance import SLOTS, Blueprint, start

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "vectors.json").read_text())
BY_NAME = {hook.name: hook for hook in HOOKS}
ABI = ".".join(map(str, VERSION))
NIL = b"\xc0"


class Refused(Exception):
    """``configure`` answered ``err``."""


class Native:
    """A guest behind the gateway's own call path."""

    def __init__(self, blueprint: Blueprint, config: Any) -> None:
        self._log = blueprint.engine.log
        self._log.drain()
        try:
            self._instance = start(blueprint, msgpack.packb(config))
        except GuestError as error:
            raise Refused(error.reason) from None

    def call(self, hook: Hook, record: bytes, context: bytes = b"", last: bool = True) -> bytes:
        """The answer's bytes; ``nil`` for a hook that returns nothing."""
        return self._instance.settle(self._instance.call(SLOTS[hook], record, context, last, "r")) or NIL

    def lines(self) -> list[list[str]]:
        """What was logged since the last time, as ``[level, message]``."""
        return [[LOG_LEVELS[line.level], line.message.decode()] for line in self._log.buffer.drain()[0]]


class Component:
    """The same file behind wasmtime-py's component API: no code of the gateway has a part in the call."""

    def __init__(self, compiled: component.Component, engine: wasmtime.Engine, config: Any) -> None:
        self._lines: list[list[str]] = []
        self._store = wasmtime.Store(engine)
        linker = component.Linker(engine)
        with linker.root() as root, root.add_instance(f"{PACKAGE}/log@{ABI}") as log:
            log.add_func("write", self._write)
        self._instance = linker.instantiate(self._store, compiled)
        try:
            configure = self._function(BY_NAME["configure"])
        except KeyError:
            return
        result = configure(self._store, msgpack.packb(config))
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

    def _write(self, store: Any, level: str, message: str) -> None:
        self._lines.append([level, message])

    def _function(self, hook: Hook) -> Any:
        interface = self._instance.get_export_index(self._store, f"{PACKAGE}/{hook.interface}@{ABI}")
        if interface is None:
            raise KeyError(hook.interface)
        index = self._instance.get_export_index(self._store, hook.name, interface)
        return self._instance.get_func(self._store, index)


Start = Callable[[Path, Any], Any]


@pytest.fixture(scope="session")
def native() -> Start:
    """Starts a guest behind the native path; each file is compiled once."""
    engine = GuestEngine()

    @functools.cache
    def compiled(path: Path) -> Blueprint:
        return Blueprint("guest", engine, *engine.prepare(read_artefact(path)), Limits())

    return lambda path, config: Native(compiled(path), config)


@pytest.fixture(scope="session")
def as_component() -> Start:
    """Starts a guest behind the component API; each file is compiled once."""
    engine = wasmtime.Engine()

    @functools.cache
    def compiled(path: Path) -> component.Component:
        return component.Component.from_file(engine, str(path))

    return lambda path, config: Component(compiled(path), engine, config)


LANGUAGES = ["rust", "assemblyscript"]


@pytest.fixture(scope="session", params=LANGUAGES)
def conformance_guest(request: pytest.FixtureRequest) -> Path:
    """The guest that does what its configuration says, built from source."""
    return _build(request.param, "conformance", HERE / "assemblyscript")


@pytest.fixture(scope="session", params=LANGUAGES)
def calling_guest(request: pytest.FixtureRequest) -> Path:
    """The guest that calls the functions of the host that its configuration names, built from source."""
    return _build(request.param, "host-functions", HERE / "assemblyscript-host")


def _build(language: str, name: str, sources: Path) -> Path:
    out: Path = BUILD / "conformance" / language
    out.mkdir(parents=True, exist_ok=True)
    if language == "rust":
        return next(Path(guest.path) for guest in build_rust(HERE / "rust", out) if guest.path.stem == name)
    install(SDK)
    path = out / f"{name}.wasm"
    command = ("node", str(SDK / "bin" / "sentinel-asc.mjs"), "build", str(sources), "-o", str(path))
    run(command, f"building the guest {name} in AssemblyScript")
    return path
