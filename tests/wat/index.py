"""Small guests in WAT, one behaviour each, by folder: ``good``, ``hostile``, ``granted`` (of both
kinds, with imports that need a grant) and ``refused`` at load.

A line ``;;@include NAME`` stands for the file ``NAME.wat`` beside this one. The head of a refused
guest says what the error must name: ``;; expect: TEXT``.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from wasmtime import wat2wasm

HERE = Path(__file__).resolve().parent
_INCLUDE = re.compile(r"^ *;;@include (\w+)$", re.MULTILINE)
_EXPECT = re.compile(r"^;; expect: (.+)$", re.MULTILINE)


def text(name: str) -> str:
    """The WAT of a guest, for example ``hostile/unreachable``, with its includes."""
    return _INCLUDE.sub(lambda match: (HERE / f"{match[1]}.wat").read_text(), (HERE / f"{name}.wat").read_text())


@functools.cache
def wasm(name: str) -> bytes:
    """The guest's core module."""
    return bytes(wat2wasm(text(name)))


def names(folder: str) -> list[str]:
    """Every guest in a folder, as `text` takes it."""
    return sorted(f"{folder}/{path.stem}" for path in (HERE / folder).glob("*.wat"))


def expected(name: str) -> str:
    """What the refusal of this guest must say."""
    found = _EXPECT.search(text(name))
    assert found is not None, f"{name} does not say what to expect"
    return found[1]
