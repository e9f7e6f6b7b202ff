"""A component instantiated on paper: which core modules it has, and what their imports come to.

Rule 1: nothing runs. Every definition is followed to the core export, the host's function or the
        built-in behind it.
Rule 2: what is not understood is refused by name. A definition that was passed over would be a call
        that goes astray.
Rule 3: the work is bounded: by `_MOST_INSTANCES`, by `_MOST_STEPS`, and by how deep components lie
        in each other.

Source: the component model, Binary.md and Explainer.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sentinel_host.authoring.flatten import core
from sentinel_host.authoring.flatten.reader import CannotFlatten, Reader, at, is_component, sections

# CPython's component has 38. A component can ask for exponentially many by instantiating others
# twice each.
_MOST_INSTANCES: Final = 500
_MOST_STEPS: Final = 1_000_000
_DEEPEST: Final = 16

_CORE_SORTS: Final = {0: "func", 1: "table", 2: "memory", 3: "global", 4: "tag"}
_CORE_TYPE: Final = 0x10
_MODULE: Final = 0x11
_SORTS: Final = {1: "func", 2: "value", 3: "type", 4: "component", 5: "instance"}
_BUILT_INS: Final = {2: "resource.new", 3: "resource.drop", 4: "resource.rep"}


@dataclass(frozen=True, slots=True)
class CoreExport:
    """What a core instance exports; ``instance`` is its number."""

    instance: int
    name: str


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A function that the component imports; ``interface`` is empty for one that it imports by
    itself.
    """

    interface: str
    name: str
    memory: CoreItem | None = None


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A function of the component model itself, such as ``resource.drop``."""

    name: str


@dataclass(frozen=True, slots=True)
class Lifted:
    """A core function as components see it, with what its canonical options name."""

    function: CoreItem
    memory: CoreItem | None = None
    realloc: CoreItem | None = None
    post: CoreItem | None = None


@dataclass(frozen=True, slots=True)
class Crossing:
    """A function that one component lifted and another one lowers, with its arguments in memory."""

    name: str


CoreItem: TypeAlias = CoreExport | HostFunction | BuiltIn | Crossing

CoreInstance: TypeAlias = Mapping[str, CoreItem]


@dataclass(frozen=True, slots=True)
class ImportedInstance:
    """An interface that the component imports."""

    name: str


@dataclass(frozen=True, slots=True)
class _Component:
    data: bytes
    scope: _Scope


Instance: TypeAlias = "Mapping[str, Item] | ImportedInstance"
Item: TypeAlias = "CoreItem | Lifted | Instance | _Component | bytes | None"


@dataclass(slots=True)
class _Scope:
    parent: _Scope | None
    arguments: Mapping[str, Item] | None
    functions: list[HostFunction | Lifted] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    components: list[_Component] = field(default_factory=list)
    modules: list[bytes] = field(default_factory=list)
    core_instances: list[CoreInstance] = field(default_factory=list)
    # Functions, tables, memories, globals, tags.
    core: dict[str, list[CoreItem]] = field(default_factory=lambda: {sort: [] for sort in _CORE_SORTS.values()})
    exports: dict[str, Item] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instantiation:
    """A core module, and where each of the modules that it imports from finds its items."""

    module: bytes
    given: Mapping[str, CoreInstance]


class Paper:
    """See the module. ``instances`` are in the order in which they are made, ``exports`` are the
    component's.
    """

    def __init__(self, component: bytes) -> None:
        self.instances: list[Instantiation] = []
        self._steps = 0
        if not is_component(component):
            raise CannotFlatten("is a core module already")
        self.exports = self._instantiate(component, None, None, 0)

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > _MOST_STEPS:
            raise CannotFlatten(f"has more than {_MOST_STEPS} definitions")

    def _instantiate(
        self, data: bytes, arguments: Mapping[str, Item] | None, parent: _Scope | None, depth: int
    ) -> dict[str, Item]:
        if depth > _DEEPEST:
            raise CannotFlatten(f"has components more than {_DEEPEST} deep in each other")
        scope = _Scope(parent, arguments)
        readers: dict[int, Callable[[_Scope, Reader], None]] = {
            2: self._core_instances,
            6: self._aliases,
            8: self._canonical,
            10: self._imports,
            11: self._exports,
        }
        for number, _, reader in sections(data):
            self._step()
            body = reader.data[reader.at : reader.end]
            if number == 1:
                core.check_sizes(body)
                scope.modules.append(body)
            elif number == 4:
                scope.components.append(_Component(body, scope))
            elif number == 5:
                self._instances(scope, reader, depth)
            elif number in readers:
                readers[number](scope, reader)
            elif number not in (0, 3, 7):
                what = "a start function" if number == 9 else f"a section {number}, which is not known"
                raise CannotFlatten(f"has {what}")
        return scope.exports

    def _core_instances(self, scope: _Scope, reader: Reader) -> None:
        for _ in range(reader.u32()):
            if reader.byte() == 0:
                module = at(scope.modules, reader.u32(), "core module")
                given: dict[str, CoreInstance] = {}
                for _ in range(reader.u32()):
                    name, _ = reader.name(), reader.byte()
                    given[name] = at(scope.core_instances, reader.u32(), "core instance")
                self.instances.append(Instantiation(module, given))
                number = len(self.instances) - 1
                if number >= _MOST_INSTANCES:
                    raise CannotFlatten(f"instantiates more than {_MOST_INSTANCES} core modules")
                exported = core.exports(module)
                self._step(len(exported))
                scope.core_instances.append({name: CoreExport(number, name) for name in exported})
            else:
                bag: dict[str, CoreItem] = {}
                for _ in range(reader.u32()):
                    name, sort = reader.name(), self._core_sort(reader)
                    self._step()
                    bag[name] = at(scope.core[sort], reader.u32(), f"core {sort}")
                scope.core_instances.append(bag)

    def _core_sort(self, reader: Reader) -> str:
        code = reader.byte()
        if code not in _CORE_SORTS:
            raise CannotFlatten(f"puts a thing of kind {code:#x} where a core function, table, memory or global is due")
        return _CORE_SORTS[code]

    def _instances(self, scope: _Scope, reader: Reader, depth: int) -> None:
        for _ in range(reader.u32()):
            self._step()
            if reader.byte() == 0:
                made = at(scope.components, reader.u32(), "component")
                given: dict[str, Item] = {}
                for _ in range(reader.u32()):
                    name = reader.name()
                    given[name] = self._item(scope, reader)
                scope.instances.append(self._instantiate(made.data, given, made.scope, depth + 1))
            else:
                bag: dict[str, Item] = {}
                for _ in range(reader.u32()):
                    name = reader.extern_name()
                    bag[name] = self._item(scope, reader)
                scope.instances.append(bag)

    def _item(self, scope: _Scope, reader: Reader) -> Item:
        """A sort and an index, as arguments, exports and inline instances have them."""
        self._step()
        sort = reader.byte()
        if sort == 0:
            if reader.byte() != _MODULE:
                raise CannotFlatten("passes on a core item that is no module")
            return at(scope.modules, reader.u32(), "core module")
        index = reader.u32()
        if sort == 1:
            return at(scope.functions, index, "function")
        if sort == 4:
            return at(scope.components, index, "component")
        if sort == 5:
            return at(scope.instances, index, "instance")
        if sort == 3:
            return None
        raise CannotFlatten(f"passes on a {_SORTS.get(sort, f'thing of kind {sort}')}")

    def _add(self, scope: _Scope, item: Item) -> None:
        if isinstance(item, HostFunction | Lifted):
            scope.functions.append(item)
        elif isinstance(item, _Component):
            scope.components.append(item)
        elif isinstance(item, bytes):
            scope.modules.append(item)
        elif isinstance(item, ImportedInstance | Mapping):
            scope.instances.append(item)
        elif item is not None:
            raise CannotFlatten("passes on a core item that is no module")

    def _aliases(self, scope: _Scope, reader: Reader) -> None:
        for _ in range(reader.u32()):
            self._step()
            sort = reader.byte()
            core_sort = reader.byte() if sort == 0 else None
            target = reader.byte()
            if target == 0:
                instance, name = at(scope.instances, reader.u32(), "instance"), reader.name()
                if sort != 3:
                    self._add(scope, _export_of(instance, name, sort))
            elif target == 1:
                bag, name = at(scope.core_instances, reader.u32(), "core instance"), reader.name()
                if core_sort is None or core_sort not in _CORE_SORTS:
                    raise CannotFlatten(f"takes {name} from a core instance as a thing of kind {core_sort}")
                if name not in bag:
                    raise CannotFlatten(f"takes {name} from a core instance that has none")
                scope.core[_CORE_SORTS[core_sort]].append(bag[name])
            else:
                self._outer(scope, sort, core_sort, reader.u32(), reader.u32())

    def _outer(self, scope: _Scope, sort: int, core_sort: int | None, levels: int, index: int) -> None:
        outer: _Scope | None = scope
        for _ in range(min(levels, _DEEPEST + 1)):
            outer = outer.parent if outer is not None else None
        if outer is None:
            raise CannotFlatten(f"refers to a component {levels} levels up")
        if core_sort == _MODULE:
            scope.modules.append(at(outer.modules, index, "core module"))
        elif sort == 4:
            scope.components.append(at(outer.components, index, "component"))
        elif sort != 3 and core_sort != _CORE_TYPE:
            raise CannotFlatten(f"takes a {_SORTS.get(sort, f'thing of kind {sort}')} from the component around it")

    def _canonical(self, scope: _Scope, reader: Reader) -> None:
        for _ in range(reader.u32()):
            self._step()
            operation = reader.byte()
            if operation in _BUILT_INS:
                reader.u32()
                scope.core["func"].append(BuiltIn(_BUILT_INS[operation]))
            elif operation == 0:
                reader.byte()
                function = at(scope.core["func"], reader.u32(), "core func")
                options = self._options(scope, reader)
                reader.u32()
                scope.functions.append(Lifted(function, options.get(3), options.get(4), options.get(5)))
            elif operation == 1:
                reader.byte()
                lowered = at(scope.functions, reader.u32(), "function")
                scope.core["func"].append(_lower(lowered, self._options(scope, reader).get(3)))
            else:
                raise CannotFlatten(f"uses the canonical function {operation:#x}; asynchronous ones are such")

    def _options(self, scope: _Scope, reader: Reader) -> dict[int, CoreItem]:
        found: dict[int, CoreItem] = {}
        for _ in range(reader.u32()):
            option = reader.byte()
            if option == 3:
                found[3] = at(scope.core["memory"], reader.u32(), "core memory")
            elif option in (4, 5):
                found[option] = at(scope.core["func"], reader.u32(), "core func")
            elif option in (1, 2):
                raise CannotFlatten("has strings that are not UTF-8")
            elif option != 0:
                raise CannotFlatten(f"uses the canonical option {option:#x}; those for asynchronous calls are such")
        return found

    def _imports(self, scope: _Scope, reader: Reader) -> None:
        for _ in range(reader.u32()):
            self._step()
            name = reader.extern_name()
            kind = _described(reader)
            if kind == 3:
                continue
            if scope.arguments is not None:
                if name not in scope.arguments:
                    raise CannotFlatten(f"does not give {name} to a component that imports it")
                self._add(scope, scope.arguments[name])
            elif kind == 5:
                scope.instances.append(ImportedInstance(name))
            elif kind == 1:
                scope.functions.append(HostFunction("", name))
            else:
                raise CannotFlatten(f"imports {name}, which is no interface and no function")

    def _exports(self, scope: _Scope, reader: Reader) -> None:
        for _ in range(reader.u32()):
            name = reader.extern_name()
            item = self._item(scope, reader)
            self._add(scope, item)
            scope.exports[name] = item
            if reader.byte() == 1:
                _described(reader)


def _described(reader: Reader) -> int:
    """Pass over the description of an import or export; returns the number of its sort."""
    kind = reader.byte()
    if kind == 0:
        reader.byte()
        reader.u32()
    elif kind == 3:
        if reader.byte() == 0:
            reader.u32()
    elif kind in (1, 4, 5):
        reader.u32()
    else:
        raise CannotFlatten("imports or exports a value")
    return kind


def _export_of(instance: Instance, name: str, sort: int) -> Item:
    if not isinstance(instance, ImportedInstance):
        if name not in instance:
            raise CannotFlatten(f"takes {name} from an instance that has none")
        return instance[name]
    if sort != 1:
        raise CannotFlatten(f"takes {name} from {instance.name}, which is no function")
    return HostFunction(instance.name, name)


def _lower(function: HostFunction | Lifted, memory: CoreItem | None) -> CoreItem:
    if isinstance(function, HostFunction):
        return HostFunction(function.interface, function.name, memory)
    if function.memory is None:
        # Nothing but numbers crosses.
        return function.function
    lifted = function.function
    return Crossing(lifted.name if isinstance(lifted, CoreExport) else str(lifted))
