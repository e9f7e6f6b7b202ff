"""A guest's file: read once, identified by its hash, unwrapped to the core module that the host
drives.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass

from sentinel_host.abi.contract import PACKAGE
from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox import binary
from sentinel_host.sandbox.text import one_line

# The largest example guest is well under 1 MiB; a Go or Python runtime compiled to WebAssembly has
# 2 to 40.
MAX_BYTES = 64 * 1024 * 1024

SELF_TEST = "sentinel:self-test"
CONFIG_SCHEMA = "sentinel:config-schema"
SOURCE_MAP = "sentinel:source-map"


@dataclass(frozen=True, slots=True)
class Artefact:
    """``path`` is for messages; ``core`` is the main core module, ``sha256`` and ``size`` are the
    whole file's.

    ``self_test`` is the content of its section of that name, empty without one; see
    `sentinel_host.sandbox.cases`; ``config_schema`` the same, see `sentinel_host.sandbox.schema`;
    ``source_map`` too, see `sentinel_host.sandbox.sourcemap`.
    """

    path: str
    core: bytes
    is_component: bool
    sha256: str
    size: int
    producers: binary.Producers
    self_test: bytes = b""
    config_schema: bytes = b""
    source_map: bytes = b""

    @property
    def language(self) -> str | None:
        """The source language with its version, where the compiler wrote one down."""
        return _first(self.producers.get("language", []))

    @property
    def sdk(self) -> str | None:
        """The SDK with its version, where it wrote itself down."""
        return _first(self.producers.get("sdk", []))


def read_artefact(path: str | os.PathLike[str]) -> Artefact:
    """Read and unwrap a file.

    Raises `GuestLoadError` for one that cannot be read (`read_file`), or is not a guest.
    """
    return parse_artefact(read_file(path), os.fspath(path))


def read_file(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes; of one that is too large, more than `MAX_BYTES` of them.

    Raises `GuestLoadError` for one that is missing or not a regular file.
    """
    where = os.fspath(path)
    try:
        # Not blocking, because opening a FIFO would wait for a writer.
        descriptor = os.open(where, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise GuestLoadError(f"{where}: is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise GuestLoadError(f"{where}: no such file") from None
    except OSError as error:
        raise GuestLoadError(f"{where}: cannot be read: {error.strerror}") from None


def parse_artefact(data: bytes, path: str) -> Artefact:
    """Identify and unwrap a file's bytes; ``path`` names them in errors.

    Raises `GuestLoadError`.
    """
    if len(data) > MAX_BYTES:
        raise GuestLoadError(f"{path}: is larger than {MAX_BYTES} bytes")
    try:
        wrapped = binary.is_component(data)
        core = _main_module(data) if wrapped else data
        # The component's list comes first: its tools copied the core module's list and added
        # themselves.
        told = binary.producers(data)
        if wrapped:
            for field, pairs in binary.producers(core).items():
                told.setdefault(field, pairs)
        # Compilers write it into the core module; tools that add it later write it into the file.
        whole = (data, core) if wrapped else (data,)
        brought = [_only_section(whole, name) for name in (SELF_TEST, CONFIG_SCHEMA, SOURCE_MAP)]
    except binary.MalformedWasm as error:
        raise GuestLoadError(f"{path}: {one_line(str(error))}") from None
    return Artefact(path, core, wrapped, hashlib.sha256(data).hexdigest(), len(data), told, *brought)


def _only_section(files: tuple[bytes, ...], name: str) -> bytes:
    found = [section.body for data in files for section in binary.custom_sections(data, name)]
    if len(found) > 1:
        raise binary.MalformedWasm(f"has {len(found)} sections {name}")
    return found[0] if found else b""


def _main_module(component: bytes) -> bytes:
    """The core module with a memory and hooks; adapters, shims and fixups stand beside it."""
    with_hooks: list[tuple[bytes, bool]] = []
    for module in binary.core_modules(component):
        if binary.is_component(module):
            raise binary.MalformedWasm("has a component where a core module should be")
        names = binary.exports(module)
        if any(name.startswith(f"{PACKAGE}/") for name in names):
            with_hooks.append((module, names.get("memory") == "memory"))
    if not with_hooks:
        raise binary.MalformedWasm(f"is a component, but none of its core modules exports a hook of {PACKAGE}")
    # A module without a memory is the last choice: the check then says what is missing.
    candidates = [module for module, has_memory in with_hooks if has_memory] or [module for module, _ in with_hooks]
    if len(candidates) > 1:
        raise binary.MalformedWasm(f"is a component, and {len(candidates)} of its core modules export hooks")
    return candidates[0]


def _first(pairs: list[tuple[str, str]]) -> str | None:
    for name, version in pairs:
        return one_line(f"{name} {version}".strip())
    return None
