"""From a component to the one core module that the gateway runs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sentinel_host.abi.contract import PACKAGE
from sentinel_host.authoring.cache import cache_folder
from sentinel_host.authoring.flatten import binaryen, core, data, variables
from sentinel_host.authoring.flatten.component import Paper
from sentinel_host.authoring.flatten.linking import Linked, Linker
from sentinel_host.authoring.flatten.reader import CannotFlatten
from sentinel_host.authoring.processes import note
from sentinel_host.errors import ToolchainError
from sentinel_host.sandbox import binary
from sentinel_host.sandbox.artefact import CONFIG_SCHEMA, SELF_TEST, SOURCE_MAP

# Part of the cache's keys: another number for every change of what comes out.
_REVISION: Final = "1"
_CARRIED: Final = (SELF_TEST, CONFIG_SCHEMA, SOURCE_MAP)
# Bytes that code and names come to at most; the file that comes of them has another limit.
_LARGEST: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Flattening:
    """What becomes of a component, beside what it says itself.

    ``hooks`` are those that the module exports, all without it. ``grants`` decide which of WASI's
    functions work. ``unavailable`` are the beginnings of interfaces whose functions may be left as
    traps, such as ``wasi:sockets/``; any other import that a guest cannot have is an error. With
    ``frees_results`` post-return frees the hook's list too, for a toolchain whose own keeps it.
    ``sections`` are added, ``producers`` too: the fields ``language``, ``sdk`` and
    ``processed-by``.
    """

    hooks: frozenset[str] | None = None
    grants: frozenset[str] = frozenset()
    unavailable: tuple[str, ...] = ()
    frees_results: bool = False
    sections: Mapping[str, bytes] = field(default_factory=dict)
    producers: binary.Producers = field(default_factory=dict)


def flatten(component: bytes, name: str, how: Flattening) -> bytes:
    """The core module that a component comes to; ``name`` is the guest's, for errors.

    Its sections that the gateway reads are carried over. The code is kept in the user's cache by
    its content: for a guest of an interpreter that was flattened before, this takes less than a
    second. Raises ToolchainError.
    """
    try:
        if len(component) > _LARGEST:
            raise CannotFlatten(f"is larger than {_LARGEST} bytes")
        paper = Paper(component)
        linked = Linker(paper, how.grants, how.unavailable, frees_results=how.frees_results).link()
        modules, contents = data.take_out([module for _, module in linked.modules])
        names = [name_of for name_of, _ in linked.modules]
        named, starts = variables.take_out(list(zip(names, modules, strict=True)))
        module = variables.put_back(_merged(Linked(named, linked.exports), name), starts)
        if contents is not None:
            module = data.put_back(module, contents)
        module = core.keep_exports(module, lambda export: _is_wanted(export, how.hooks))
        return module + _sections(component, how)
    except (CannotFlatten, binary.MalformedWasm) as error:
        raise ToolchainError(f"{name}: its component cannot be made into one module: it {error}") from None


def _is_wanted(export: str, hooks: frozenset[str] | None) -> bool:
    return hooks is None or "#" not in export or export.partition("#")[2] in hooks


def _merged(linked: Linked, name: str) -> bytes:
    """The merged and cleaned code, from the cache if it was there before."""
    told = hashlib.sha256(f"{_REVISION} {binaryen.VERSION}".encode())
    for module_name, module in linked.modules:
        told.update(f"\0{module_name}\0{hashlib.sha256(module).hexdigest()}".encode())
    kept = cache_folder("flattened") / f"{told.hexdigest()[:32]}.wasm"
    if kept.is_file():
        return kept.read_bytes()
    if sum(len(module) for _, module in linked.modules) > _NOTICED:
        note(f"flattening {name}: its interpreter's code is merged once (some 20 seconds)")
    with tempfile.TemporaryDirectory(prefix="sentinel-", dir=kept.parent) as folder:
        module = _merge(linked, Path(folder))
        fresh = Path(folder) / "kept"
        fresh.write_bytes(module)
        os.replace(fresh, kept)
    return module


# Bytes of code from which on merging takes as long as somebody would wonder.
_NOTICED: Final = 4 << 20


def _merge(linked: Linked, folder: Path) -> bytes:
    files = []
    for name, module in linked.modules:
        files.append((folder / f"{name}.wasm", name))
        files[-1][0].write_bytes(module)
    merged, kept, cleaned = (folder / each for each in ("merged", "kept-exports", "cleaned"))
    binaryen.merge(files, merged)
    kept.write_bytes(core.keep_exports(merged.read_bytes(), linked.exports.__contains__))
    binaryen.clean(kept, cleaned)
    module = cleaned.read_bytes()
    for entry in core.imports(module):
        if entry.module != variables.MODULE and not entry.module.startswith(f"{PACKAGE}/"):
            raise CannotFlatten(f"still imports {entry} after all, which a guest cannot have")
    if core.memories(module) != 1:
        raise CannotFlatten(f"uses {core.memories(module)} memories, and a guest has one")
    return core.without_custom_sections(module, keep=("name",))


def _sections(component: bytes, how: Flattening) -> bytes:
    """The custom sections that the file ends in, in an order that is always the same."""
    found = dict(how.sections)
    for name in _CARRIED:
        for section in binary.custom_sections(component, name):
            found.setdefault(name, section.body)
    producers = binary.producers(component)
    for kind, pairs in how.producers.items():
        told = producers.setdefault(kind, [])
        told[:] = [*pairs, *(pair for pair in told if pair[0] not in {name for name, _ in pairs})]
    body = binary.custom_section("producers", core.producers_body(producers))
    return body + b"".join(binary.custom_section(name, found[name]) for name in sorted(found))
