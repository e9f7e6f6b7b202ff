"""The numbers that a module's globals begin with, taken out of it and put back: a memory image
comes with those that fit its guest, and the code around them is the same.

While the modules are merged, such a global is one that they import.

Rule 1: no index changes. So a module's first globals are taken, up to the first one that is no
        variable, has no number, or is exported: others import that one, and its number may be what
        their data is placed by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sentinel_host.authoring.flatten import core
from sentinel_host.authoring.flatten.reader import Reader, number, section_body

MODULE: Final = "variables"
"""The module that they are imported from."""

_GLOBAL: Final = 3
_VARIABLE: Final = 1


@dataclass(frozen=True, slots=True)
class _Global:
    """``kind`` is its type and whether it changes, ``start`` the number that it begins with; None
    for one that begins with something else.
    """

    kind: bytes
    start: bytes | None
    raw: bytes


def take_out(modules: list[tuple[str, bytes]]) -> tuple[list[tuple[str, bytes]], dict[str, bytes]]:
    """The named modules with imports in place of these globals, and what they begin with, by the
    names that they are imported by.
    """
    emptied, starts = [], dict[str, bytes]()
    for name, module in modules:
        globals_ = list(_globals(module))
        taken = list(_taken(module, globals_))
        if taken:
            entries = [(entry.module, entry.name, entry.raw) for entry in core.imports(module)]
            for index, each in enumerate(taken):
                label = f"{name}.{index}"
                entries.append((MODULE, label, bytes((_GLOBAL,)) + each.kind))
                starts[label] = each.start or b""
            module = _with_globals(core.with_imports(module, entries), globals_[len(taken) :])
        emptied.append((name, module))
    return emptied, starts


def put_back(module: bytes, starts: Mapping[str, bytes]) -> bytes:
    """The merged module with those globals of its own that are still in it."""
    imports = core.imports(module)
    taken = [entry for entry in imports if entry.module == MODULE]
    if not taken:
        return module
    rest = [(entry.module, entry.name, entry.raw) for entry in imports if entry.module != MODULE]
    # Imported globals have the first numbers, and no others are imported.
    own = [_Global(b"", None, entry.raw[1:] + starts[entry.name]) for entry in taken]
    return _with_globals(core.with_imports(module, rest), [*own, *_globals(module)])


def _with_globals(module: bytes, globals_: list[_Global]) -> bytes:
    if not globals_:
        return core.without(module, core.GLOBAL)
    body = number(len(globals_)) + b"".join(each.raw for each in globals_)
    return core.with_section(module, core.GLOBAL, body)


def _globals(module: bytes) -> Iterator[_Global]:
    body = section_body(module, core.GLOBAL)
    if body is None:
        return
    reader = Reader(body)
    for _ in range(reader.u32()):
        begin = reader.at
        kind = reader.take(2)
        at = reader.at
        is_number = core.is_number(reader)
        yield _Global(kind, body[at : reader.at] if is_number else None, body[begin : reader.at])


def _taken(module: bytes, globals_: list[_Global]) -> Iterator[_Global]:
    exported = core.exported(module, _GLOBAL)
    before = sum(entry.kind == _GLOBAL for entry in core.imports(module))
    for index, each in enumerate(globals_, before):
        if each.kind[1] != _VARIABLE or each.start is None or index in exported:
            return
        yield each
