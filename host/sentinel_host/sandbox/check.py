"""Whether a module is a guest: every import and export by name, kind and exact core type, as
wit/ABI.md section 1 says.

Rule 1: functions that pass here are called unchecked. wasmtime's unchecked call aborts the process
        if the core type differs, so types come from the engine itself (`surface_of`) and are
        compared exactly.
Rule 2: unknown names are refused, never ignored: otherwise a hook that this host does not know
        would silently never be called.
Rule 3: an error names the import or export, and what was expected.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from wasmtime import FuncType, GlobalType, MemoryType, Module, TableType, ValType, _bindings

from sentinel_host.abi.contract import ARGUMENT_AREA, HOOKS, IMPORTS, NEEDED_HOOKS, PACKAGE, VERSION, Hook, Import
from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox.text import one_line

_VERSION_TEXT = ".".join(map(str, VERSION))
_POST = "cabi_post_"
# `sentinel:gateway/log@0.1.0` and `sentinel:gateway/lifecycle@0.1.0#configure`.
_NAME = re.compile(
    re.escape(PACKAGE) + r"/(?P<interface>[^@#]*)@(?P<version>[^#]*)(?:#(?P<function>.*))?", re.DOTALL
).fullmatch
_NUMBERS = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})").fullmatch
# By the numbers of wasmtime_valtype_kind_t; what a reference refers to does not matter, because the
# contract has none.
_VALUE_TYPES = ("i32", "i64", "f32", "f64", "v128", "ref")


@dataclass(frozen=True, slots=True)
class Function:
    """A core function type; types by name, as in the text format."""

    params: tuple[str, ...]
    results: tuple[str, ...] = ()

    def __str__(self) -> str:
        result = f" -> {' '.join(self.results)}" if self.results else ""
        return f"func ({' '.join(self.params)}){result}"


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory's type, as far as it matters here."""

    is_64: bool = False
    is_shared: bool = False

    def __str__(self) -> str:
        return f"{'shared ' if self.is_shared else ''}{'64' if self.is_64 else '32'}-bit memory"


@dataclass(frozen=True, slots=True)
class Other:
    """Anything that no guest needs to import or export: a table, a global, a tag."""

    kind: str

    def __str__(self) -> str:
        return self.kind


External = Function | Memory | Other


@dataclass(frozen=True, slots=True)
class Surface:
    """What a module imports, as (module, name, type), and exports."""

    imports: Sequence[tuple[str, str, External]]
    exports: Mapping[str, External]


@dataclass(frozen=True, slots=True)
class CheckedGuest:
    """What a guest turned out to be: its ABI version, and hooks with the names of their exports."""

    version: str
    hooks: tuple[CheckedHook, ...]
    imports: tuple[str, ...]
    has_initialize: bool
    has_needed_hooks: bool
    has_argument_area: bool


@dataclass(frozen=True, slots=True)
class CheckedHook:
    """A hook that the guest exports; ``post`` is the name of its post-return, if it exports one."""

    hook: Hook
    export: str
    post: str | None


MEMORY = Memory()
REALLOC = Function(("i32",) * 4, ("i32",))
INITIALIZE = Function(())
NEEDED = Function((), ("i32",))
LENT = Function((), ("i64",))


def surface_of(module: Module) -> Surface:
    """A compiled module's imports and exports as the engine understood them."""
    return Surface(
        [(entry.module, entry.name or "", _external(entry.type)) for entry in module.imports],
        {entry.name: _external(entry.type) for entry in module.exports},
    )


def check(surface: Surface, path: str, grants: frozenset[str] = frozenset()) -> CheckedGuest:
    """Compare a module with the contract; ``path`` names it in errors, ``grants`` are interfaces
    that it may import.

    Raises `GuestLoadError` for the first thing that is wrong.
    """
    try:
        version = _version(surface)
        imports = _check_imports(surface, version, grants)
        hooks = _check_hooks(surface.exports, version)
        _expect(surface.exports, "memory", MEMORY, required=True)
        _expect(surface.exports, "cabi_realloc", REALLOC, required=True)
        has_initialize = _expect(surface.exports, "_initialize", INITIALIZE)
        has_needed_hooks = _expect(surface.exports, NEEDED_HOOKS, NEEDED)
        has_argument_area = _expect(surface.exports, ARGUMENT_AREA, LENT)
    except _Wrong as wrong:
        raise GuestLoadError(f"{path}: {one_line(str(wrong))}") from None
    return CheckedGuest(version, hooks, imports, has_initialize, has_needed_hooks, has_argument_area)


class _Wrong(Exception):
    """What is wrong, without the file."""


def _external(kind: object) -> External:
    if isinstance(kind, FuncType):
        return Function(tuple(map(_type_name, kind.params)), tuple(map(_type_name, kind.results)))
    if isinstance(kind, MemoryType):
        return Memory(kind.is_64, kind.is_shared)
    if isinstance(kind, GlobalType):
        return Other("global")
    return Other("table" if isinstance(kind, TableType) else "tag")


def _type_name(kind: ValType) -> str:
    # Not str(kind): it asks wasm_valtype_kind, which aborts the process for a vector, and a guest
    # chooses its types.
    found = _bindings.wasmtime_valtype_t()
    _bindings.wasmtime_valtype_new(kind.ptr(), ctypes.byref(found))
    # ctypes hands out the number, the wheel's annotation says its C type.
    number = cast(int, found.kind)
    _bindings.wasmtime_valtype_delete(ctypes.byref(found))
    return _VALUE_TYPES[number]


def _version(surface: Surface) -> str:
    """The version of the contract that all of the guest's names carry. Checked first: it explains
    other faults.
    """
    found: dict[str, str] = {}
    for name in (*(module for module, _, _ in surface.imports), *surface.exports):
        plain = name.removeprefix(_POST)
        if not plain.startswith(f"{PACKAGE}/"):
            continue
        match = _NAME(plain)
        if match is None:
            raise _Wrong(f"{name} carries no version; this host offers {PACKAGE} {_VERSION_TEXT}")
        found.setdefault(match["version"], name)
    for version, name in found.items():
        numbers = _NUMBERS(version)
        if numbers is None or (int(numbers[1]), int(numbers[2])) != VERSION[:2] or int(numbers[3]) > VERSION[2]:
            raise _Wrong(f"{name} needs {PACKAGE} {version}; this host offers {_VERSION_TEXT}")
    if len(found) > 1:
        raise _Wrong(f"mixes versions of {PACKAGE}: {', '.join(sorted(found))}")
    return next(iter(found), _VERSION_TEXT)


def _check_imports(surface: Surface, version: str, grants: frozenset[str]) -> tuple[str, ...]:
    offered: dict[tuple[str, str], Import] = {
        (f"{PACKAGE}/{entry.interface}@{version}", entry.name): entry for entry in IMPORTS
    }
    names = []
    for module, name, kind in surface.imports:
        entry = offered.get((module, name))
        if entry is None:
            hint = " (there is no WASI here)" if module.startswith("wasi") else ""
            raise _Wrong(f"imports {module} {name}, which this host does not offer{hint}")
        if entry.grant is not None and entry.grant not in grants:
            raise _Wrong(f'imports {module} {name}, which needs the grant "{entry.grant}"')
        expected = Function(entry.params, entry.results)
        if kind != expected:
            raise _Wrong(f"imports {module} {name} as {kind}, expected {expected}")
        names.append(f"{module}#{name}")
    return tuple(sorted(set(names)))


def _check_hooks(exports: Mapping[str, External], version: str) -> tuple[CheckedHook, ...]:
    hooks = []
    known = set()
    for hook in HOOKS:
        export = hook.core_export(version)
        known.add(export)
        if not _expect(exports, export, Function(hook.params, hook.results)):
            continue
        post = _POST + export
        known.add(post)
        # Its one parameter is the hook's core result.
        has_post = _expect(exports, post, Function(hook.results))
        hooks.append(CheckedHook(hook, export, post if has_post else None))
    for name in exports:
        if name.startswith((f"{PACKAGE}/", f"{_POST}{PACKAGE}/")) and name not in known:
            raise _Wrong(f"exports {name}, which is not a hook of {PACKAGE} {_VERSION_TEXT}")
    if not hooks:
        raise _Wrong(f"exports no hook of {PACKAGE}")
    if len(hooks) == 1 and hooks[0].hook.name == "configure":
        raise _Wrong("exports no hook beside configure")
    return tuple(hooks)


def _expect(exports: Mapping[str, External], name: str, expected: External, *, required: bool = False) -> bool:
    """Whether the export is there; refuses it when it is of another type, or missing and
    required.
    """
    kind = exports.get(name)
    if kind is None:
        if required:
            raise _Wrong(f"exports no {name}, expected {expected}")
        return False
    if kind != expected:
        raise _Wrong(f"exports {name} as {kind}, expected {expected}")
    return True
