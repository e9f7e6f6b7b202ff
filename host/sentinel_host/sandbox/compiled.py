"""The result of compiling a guest's file: its metadata and machine code."""

from __future__ import annotations

import functools

import msgspec
from wasmtime import Engine, Module, WasmtimeError

from sentinel_host.errors import GuestLoadError
from sentinel_host.native.call_loop import compile_loop
from sentinel_host.native.failure import last_line
from sentinel_host.sandbox.artefact import Artefact, parse_artefact
from sentinel_host.sandbox.lines import pack_lines
from sentinel_host.sandbox.settings import AddressSpace, address_space, engine_config
from sentinel_host.sandbox.text import one_line


class CompiledGuest(msgspec.Struct, frozen=True):
    """``sha256`` and ``size`` are the whole file's, whose bytes are not kept.

    ``code`` is machine code and is trusted: its author can do anything. It must come from
    `compile_guest`, or from a place that nobody else can write to.
    """

    sha256: str
    size: int
    is_component: bool
    language: str | None
    sdk: str | None
    self_test: bytes
    code: bytes
    lines: bytes = b""
    config_schema: bytes = b""


def compile_guest(data: bytes, path: str, addresses: AddressSpace | None = None) -> CompiledGuest:
    """Unwrap and compile a file's bytes; ``path`` names them in errors. Takes as long as it takes.

    ``addresses`` are those of the process that is to run the code, by default this one's.
    Raises `GuestLoadError`.
    """
    artefact = parse_artefact(data, path)
    code = bytes(compile_module(Engine(engine_config(addresses or address_space())), artefact).serialize())
    return CompiledGuest(
        sha256=artefact.sha256,
        size=artefact.size,
        is_component=artefact.is_component,
        language=artefact.language,
        sdk=artefact.sdk,
        self_test=artefact.self_test,
        config_schema=artefact.config_schema,
        code=code,
        lines=pack_lines(artefact),
    )


@functools.cache
def loop_code() -> bytes:
    """The machine code of `CallLoop` for this process, compiled without threads: a worker, which
    compiles nothing else, would keep them.
    """
    config = engine_config(address_space())
    config.parallel_compilation = False
    return compile_loop(Engine(config))


def compile_module(engine: Engine, artefact: Artefact) -> Module:
    """Raises `GuestLoadError`."""
    try:
        return Module(engine, artefact.core)
    except WasmtimeError as error:
        raise GuestLoadError(f"{artefact.path}: is not a valid module: {one_line(last_line(str(error)))}") from None
