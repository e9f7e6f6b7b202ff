"""What a guest may use unless its configuration says otherwise, by what made its file.

A guest that brings an interpreter keeps the interpreter's heap in its memory, and is brought to
life by running the author's top-level code. Compiled guests get by on a quarter of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RuntimeDefaults:
    """``memory`` is bytes of one instance, ``start_deadline`` seconds of running time for starting
    one.
    """

    memory: int
    start_deadline: float


# CPython begins with 12 MiB, StarlingMonkey with 17; half of what is left is for the author's data.
# The start of a snapshot takes milliseconds, but `configure` may have much to compile: regular
# expressions, schemas, templates.
_INTERPRETED: Final = RuntimeDefaults(64 << 20, 2.0)
# 16 MiB is room for the largest example guest's bodies five times over.
_COMPILED: Final = RuntimeDefaults(16 << 20, 0.25)

_INTERPRETED_LANGUAGES: Final = frozenset({"Python", "JavaScript", "TypeScript"})


def defaults_of(language: str | None) -> RuntimeDefaults:
    """The defaults for a guest whose producers section names this ``language``, with or without a
    version behind it.
    """
    name = (language or "").partition(" ")[0]
    return _INTERPRETED if name in _INTERPRETED_LANGUAGES else _COMPILED
