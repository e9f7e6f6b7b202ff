"""Modules that are made, not written: versions of a guest that can be told apart, and ones that are
dear to compile.
"""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path

from wasmtime import wat2wasm

from tests.support.guests import answering, respond
from tests.wat import index

_HEADER = b"\0asm\x01\0\0\0"


def version(number: int) -> bytes:
    """A guest that answers every request with its number."""
    return answering(respond(200, [("x-version", str(number))], b"%d" % number))


@cache
def costly(functions: int = 600) -> bytes:
    """A valid module that takes some ten seconds of a processor to compile, and little to read."""
    steps = "".join(
        f"(local.set {i % 9} (i64.mul (local.get {i * 5 % 9}) (i64.add (local.get {i * 7 % 9}) (i64.const {i}))))"
        f"(br_if 0 (i64.eqz (local.get {i % 9})))"
        for i in range(1000)
    )
    one = bytes(wat2wasm(f"(module (func (local {'i64 ' * 9}) {steps}))"))
    types, _, code = _sections(one)
    body = code[1:]
    return b"".join(
        (
            _HEADER,
            _section(1, types),
            _section(3, _u32(functions) + bytes(functions)),
            _section(10, _u32(functions) + body * functions),
        )
    )


def with_custom(module: bytes, data: bytes) -> bytes:
    """The same module with a custom section at its end: another file that does the same."""
    return module + _section(0, b"\x04test" + data)


def with_image(name: str, number: int = 0, ballast: int = 0) -> bytes:
    """The guest of tests/wat, as a file of its own for each number, with data for its memory.

    As long as such a module is there, the engine has an anonymous file for what its memories begin
    with, and beside it so many bytes of ``ballast``.
    """
    text = index.text(name).rstrip().removesuffix(")")
    return with_custom(_ballasted(f'{text}(data (i32.const 8) "data")', ballast), b"%d" % number)


@cache
def _ballasted(text: str, ballast: int) -> bytes:
    return bytes(wat2wasm(f'{text}(data "{"a" * ballast}"))'))


IMAGE = "memfd:wasm"
"""In what the descriptor of a module with data for its memory is."""


def images(process: int) -> int:
    """How many such modules a process has."""
    found = 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += IMAGE in os.readlink(entry)
    return found


def sections_end(module: bytes) -> list[int]:
    """Where the sections of a module end: a file that is cut there can be a module, too."""
    ends = []
    at = len(_HEADER)
    while at < len(module):
        size, at = _read_u32(module, at + 1)
        at += size
        ends.append(at)
    return ends


def _sections(module: bytes) -> list[bytes]:
    found = []
    at = len(_HEADER)
    while at < len(module):
        size, at = _read_u32(module, at + 1)
        found.append(module[at : at + size])
        at += size
    return found


def _section(number: int, body: bytes) -> bytes:
    return bytes((number,)) + _u32(len(body)) + body


def _u32(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_u32(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
