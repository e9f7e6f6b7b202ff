"""The modules of a component made ready for merging: every import names the module and the export
that
it comes to.

Instances of the component are called ``i`` and a number. Two modules are added: ``root`` exports
what the gateway calls, and ``host`` stands in for WASI.

Rule 1: what comes out does not depend on the order in which a tool writes the stubs of WASI, which
        may be any: guests whose code is otherwise the same are to share it. A stub is a function
        that only traps, in a module that has nothing but functions. Functions that only trap become
        one for each type, and such a module is left out when nothing needs it any more. The others
        are called by their content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sentinel_host.abi.contract import HOOKS, PACKAGE
from sentinel_host.authoring.flatten import core
from sentinel_host.authoring.flatten.component import (
    BuiltIn,
    CoreExport,
    CoreItem,
    Crossing,
    HostFunction,
    Instantiation,
    Lifted,
    Paper,
)
from sentinel_host.authoring.flatten.reader import CannotFlatten, Reader, at, sections
from sentinel_host.authoring.flatten.stand_ins import (
    OFFERED,
    STAND_INS,
    TRAP,
    Key,
    Needed,
    stand_in_module,
    without_version,
)
from sentinel_host.sandbox.text_format import assemble, quoted

_ROOT: Final = "root"
_HOST: Final = "host"
_OURS: Final = f"{PACKAGE}/"
_POST: Final = "cabi_post_"
_REALLOC: Final = "(param i32 i32 i32 i32) (result i32)"


@dataclass(frozen=True, slots=True)
class Linked:
    """``modules`` have names by which they import each other; ``exports`` are what the merged one
    is to export.
    """

    modules: list[tuple[str, bytes]]
    exports: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Hook:
    export: str
    params: str
    results: str
    lifted: Lifted


class Linker:
    """See the module. ``unavailable`` are the beginnings of interfaces whose functions may become
    traps.
    """

    def __init__(
        self, paper: Paper, grants: frozenset[str], unavailable: tuple[str, ...], *, frees_results: bool = False
    ) -> None:
        self._paper = paper
        self._frees_results = frees_results
        self._grants = grants
        self._unavailable = unavailable
        self._names = list(_names(paper))
        self._traps = [core.traps(each.module) if _is_alone(each.module) else {} for each in paper.instances]
        self._referred: set[str] = set()
        self._passed_on: set[str] = set()
        self._needed: dict[tuple[Key, core.Signature], Needed] = {}
        self._hooks = list(_hooks(paper))
        if not self._hooks:
            raise CannotFlatten(f"exports no hook of {PACKAGE}")
        self._memory = _one({hook.lifted.memory for hook in self._hooks}, "memories")
        self._realloc = _one({hook.lifted.realloc for hook in self._hooks}, "functions that allocate")

    def link(self) -> Linked:
        """Raises `CannotFlatten` for an import that nothing stands in for."""
        alone = {name: each.module for name, each in self._instances() if _is_alone(each.module)}
        modules: list[tuple[str, bytes]] = []
        for name, each in self._instances():
            if name not in alone:
                modules += self._instance(name, each.module, each.given)
        memory = (self._names[self._memory.instance], self._memory.name)
        root, exports = self._root(memory)
        needed = sorted((name, module) for name, module in alone.items() if name in self._referred)
        host = assemble(stand_in_module(self._needed.values(), memory, self._grants, passed_on=self._passed_on))
        return Linked([(_ROOT, root), *needed, *modules, (_HOST, host)], exports)

    def _instances(self) -> Iterator[tuple[str, Instantiation]]:
        return zip(self._names, self._paper.instances, strict=True)

    def _instance(
        self, name: str, module: bytes, given: Mapping[str, Mapping[str, CoreItem]]
    ) -> Iterator[tuple[str, bytes]]:
        types = core.signatures(module)
        renamed: dict[core.Import, tuple[str, str]] = {}
        for entry in core.imports(module):
            item = given.get(entry.module, {}).get(entry.name)
            if item is None:
                raise CannotFlatten(f"imports {entry}, which nothing gives it")
            renamed[entry] = self._source(entry, item, types)
        start = core.imported_start(module)
        if start is not None:
            module = core.without(module, core.START)
        entries = [(*renamed[entry], entry.raw) for entry in core.imports(module)]
        yield name, core.with_imports(module, entries)
        if start is not None:
            # wasm-merge loses a start function that is an import.
            of, export = renamed[start]
            yield (
                f"{name}start",
                assemble(f"(module (import {quoted(of)} {quoted(export)} (func)) (func (call 0)) (start 1))"),
            )

    def _source(self, entry: core.Import, item: CoreItem, types: list[core.Signature | None]) -> tuple[str, str]:
        """The module and the export that an import comes to."""
        key = _key_of(entry, item)
        if isinstance(item, CoreExport) and key not in STAND_INS:
            if (signature := self._traps[item.instance].get(item.name)) is not None:
                return self._stand_in(TRAP, signature)
            return self._name(item), item.name
        if isinstance(item, HostFunction) and item.interface.startswith(_OURS):
            if item.memory not in (None, self._memory):
                raise CannotFlatten(f"calls {item.interface} {item.name} with another memory than its hooks'")
            return _HOST, self._offered(item, entry, types)
        if entry.kind != core.FUNCTION:
            raise CannotFlatten(f"imports {entry} as something else than a function")
        if key not in STAND_INS and not without_version(key[0]).startswith(self._unavailable):
            raise CannotFlatten(f"imports {key[0]} {key[1]}, which a guest cannot have")
        signature = at(types, Reader(entry.raw, 1).u32(), "type")
        if signature is None:
            raise CannotFlatten(f"imports {entry} with a type that is no function's")
        return self._stand_in(key, signature)

    def _offered(self, item: HostFunction, entry: core.Import, types: list[core.Signature | None]) -> str:
        """A function of the gateway's. All modules have it by way of one import: tools take no
        second one.
        """
        label = f"{without_version(item.interface).removeprefix(_OURS)}.{item.name}"
        signature = at(types, Reader(entry.raw, 1).u32(), "type")
        if OFFERED.get(label) != signature:
            raise CannotFlatten(f"imports {item.interface} {item.name}, which this version does not offer in that way")
        self._passed_on.add(label)
        return label

    def _free(self) -> CoreExport:
        """The C library's function that gives memory back."""
        for number, instance in enumerate(self._paper.instances):
            if {"malloc", "free"} <= core.exports(instance.module).keys():
                return CoreExport(number, "free")
        raise CannotFlatten("has no C library that frees memory")

    def _stand_in(self, key: Key, signature: core.Signature) -> tuple[str, str]:
        found = self._needed.setdefault((key, signature), Needed(f"h{len(self._needed)}", key, signature))
        return _HOST, found.export

    def _name(self, item: CoreExport) -> str:
        name = self._names[item.instance]
        self._referred.add(name)
        return name

    def _root(self, memory: tuple[str, str]) -> tuple[bytes, frozenset[str]]:
        imports, exports = [], []
        wanted: list[tuple[str, CoreItem, str]] = []
        for hook in self._hooks:
            wanted.append((hook.export, hook.lifted.function, f"{hook.params} {hook.results}"))
            if hook.lifted.post is not None:
                params = "(param i32)" if hook.results else ""
                wanted.append((f"{_POST}{hook.export}", hook.lifted.post, params))
        wanted.append(("cabi_realloc", self._realloc, _REALLOC))
        if self._frees_results:
            wanted.append(("free", self._free(), "(param i32)"))
        for index, (export, item, signature) in enumerate(wanted):
            if not isinstance(item, CoreExport):
                raise CannotFlatten(f"has {export} from outside of its core modules")
            imports.append(f"(import {quoted(self._name(item))} {quoted(item.name)} (func {signature}))")
            if self._frees_results and export.startswith(_POST) and not export.endswith(("#configure", "#on-complete")):
                exports.append(_FREEING.format(export=quoted(export), post=index, free=len(wanted) - 1))
            elif export != "free":
                exports.append(f"(export {quoted(export)} (func {index}))")
        imports.append(f"(import {quoted(memory[0])} {quoted(memory[1])} (memory 0))")
        exports.append('(export "memory" (memory 0))')
        names = frozenset(export for export, _, _ in wanted if export != "free") | {"memory"}
        return assemble("\n".join(["(module", *imports, *exports, ")"])), names


def _is_alone(module: bytes) -> bool:
    """Whether a module has functions and nothing else, so that all of its instances are the
    same.
    """
    return {kind for kind, _, _ in sections(module)} <= {0, core.TYPE, core.FUNCTIONS, core.EXPORT, core.CODE}


def _names(paper: Paper) -> Iterator[str]:
    number = 0
    for instance in paper.instances:
        if _is_alone(instance.module):
            yield f"f{hashlib.sha256(instance.module).hexdigest()[:16]}"
        else:
            yield f"i{number}"
            number += 1


# A post-return that also frees the list whose pointer and length stand in the return area.
_FREEING: Final = """(func (export {export}) (param $area i32) (local $list i32) (local $length i32)
  (local.set $list (i32.load (local.get $area)))
  (local.set $length (i32.load offset=4 (local.get $area)))
  (call {post} (local.get $area))
  (if (local.get $length) (then (call {free} (local.get $list)))))"""


def _hooks(paper: Paper) -> Iterator[_Hook]:
    shapes = {(hook.interface, hook.name): hook for hook in HOOKS}
    for interface, instance in paper.exports.items():
        if not interface.startswith(_OURS) or not isinstance(instance, Mapping):
            continue
        for name, function in instance.items():
            hook = shapes.get((without_version(interface).removeprefix(_OURS), name))
            if not isinstance(function, Lifted):
                continue
            if hook is None:
                raise CannotFlatten(f"exports {interface} {name}, which is no hook of this version")
            params = f"(param {' '.join(hook.params)})" if hook.params else ""
            results = f"(result {' '.join(hook.results)})" if hook.results else ""
            yield _Hook(f"{interface}#{name}", params, results, function)


def _one(items: set[CoreItem | None], what: str) -> CoreExport:
    found = next(iter(items))
    if len(items) > 1 or not isinstance(found, CoreExport):
        raise CannotFlatten(f"has hooks with different {what}, or with none")
    return found


def _key_of(entry: core.Import, item: CoreItem) -> Key:
    """What an import asks for, by the name that the module gave it, or by what it comes to."""
    if entry.module.startswith(("wasi:", "wasi_")):
        return without_version(entry.module), entry.name
    if isinstance(item, HostFunction):
        return without_version(item.interface), item.name
    if isinstance(item, BuiltIn):
        return "canonical", item.name
    if isinstance(item, Crossing):
        # `cm32p2|wasi:io/poll@0.2|poll`, or before that naming scheme `wasi:io/poll@0.2.0#poll`.
        interface, _, name = item.name.removeprefix("cm32p2|").replace("#", "|").partition("|")
        return without_version(interface), name
    return entry.module, entry.name
