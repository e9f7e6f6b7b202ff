"""Which keys there are at a place of the configuration, for errors that name one that there is
not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec.inspect as types

# How msgspec writes where something is: names, indexes, and dots for the key of a table.
_STEP: Final = re.compile(r"\.(\w+)|\[(?:\d+|\.\.\.)\]")


def keys_at(kind: type, where: str) -> list[str]:
    """The keys of the structs that may stand at ``where`` in a value of this type, such as
    ``.limits[0]``.
    """
    found: list[types.Type] = [types.type_info(kind)]
    for step in _STEP.finditer(where):
        found = [inner for each in found for inner in _step(each, step[1])]
    return [field.encode_name for each in found for struct in _structs(each) for field in struct.fields]


def _step(kind: types.Type, name: str | None) -> Iterator[types.Type]:
    if isinstance(kind, types.UnionType):
        for each in kind.types:
            yield from _step(each, name)
    elif isinstance(kind, types.StructType):
        yield from (field.type for field in kind.fields if field.encode_name == name)
    elif isinstance(kind, types.ListType | types.VarTupleType):
        yield kind.item_type
    elif isinstance(kind, types.DictType):
        yield kind.value_type


def _structs(kind: types.Type) -> Iterator[types.StructType]:
    if isinstance(kind, types.StructType):
        yield kind
    elif isinstance(kind, types.UnionType):
        for each in kind.types:
            yield from _structs(each)
