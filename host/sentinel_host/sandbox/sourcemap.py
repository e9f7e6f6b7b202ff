"""Source maps (ECMA-426), as the AssemblyScript SDK puts them into a guest: which code is which
line of a source.

The section holds a map's JSON whose only line of "generated code" has a byte's offset in the core
module for its column, and beside the standard's keys ``code``: where the code section's content
began in that module.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from itertools import pairwise
from typing import Final

from sentinel_host.sandbox.dwarf import MAX_ROWS, Row

# The exports that the SDK generates around an author's hooks.
_GLUE: Final = "sentinel-guest.ts"
_DIGITS: Final = {
    character: value
    for value, character in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}


def rows(section: bytes) -> list[Row]:
    """All rows, in the order of their addresses, which are offsets from the beginning of the code
    section's content.

    Raises `ValueError` and `IndexError`.
    """
    try:
        document = json.loads(section)
        sources, mappings, code = document["sources"], document["mappings"], document["code"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a source map: {error}") from None
    if not (isinstance(sources, list) and isinstance(mappings, str) and isinstance(code, int)):
        raise ValueError("not a source map")
    found = []
    column, source, line = 0, 0, 0
    for segment in mappings.partition(";")[0].split(","):
        fields = _numbers(segment)
        if not fields:
            continue
        column += fields[0]
        if len(fields) < 4:
            found.append(Row(column - code, "", 0))
        else:
            source += fields[1]
            line += fields[2]
            if source < 0:
                raise ValueError("a source before the first")
            found.append(Row(column - code, str(sources[source]), line + 1))
        if len(found) > MAX_ROWS:
            raise ValueError("too many rows")
    found.sort(key=lambda row: row.address)
    return found


def bounded(rows: list[Row], functions: list[int]) -> list[Row]:
    """The rows, and one without a source where a function begins, so that no row goes on into the
    next function.
    """
    known = {row.address for row in rows}
    return sorted(
        [*rows, *(Row(begin, "", 0) for begin in functions if begin not in known)], key=lambda row: row.address
    )


def own_rows(rows: list[Row], functions: list[int]) -> list[int]:
    """For each row the number of the author's row that is nearest in its function, or its own where
    there is none.

    An inlined function has rows in its own source and none at its call. The author's last row
    before it is the line of the call, or of an expression right before it. ``functions`` are the
    addresses at which functions begin, in order.
    """
    nearest = list(range(len(rows)))
    bounds = [bisect_left(rows, begin, key=lambda row: row.address) for begin in functions]
    for begin, end in pairwise([*bounds, len(rows)]):
        own = next((at for at in range(begin, end) if _is_own(rows[at])), None)
        if own is not None:
            for at in range(begin, end):
                if _is_own(rows[at]):
                    own = at
                nearest[at] = own
    return nearest


def _is_own(row: Row) -> bool:
    return bool(row.path) and not row.path.startswith("~lib/") and row.path != _GLUE


def _numbers(segment: str) -> list[int]:
    numbers = []
    value = shift = 0
    for character in segment:
        digit = _DIGITS.get(character)
        if digit is None or shift > 60:
            raise ValueError("a mapping is not in base 64")
        value |= (digit & 31) << shift
        if digit & 32:
            shift += 5
        else:
            numbers.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return numbers
