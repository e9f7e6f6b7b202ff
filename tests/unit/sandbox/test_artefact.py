"""Files: cores and components, and everything that is neither."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import struct
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from sentinel_host.errors import GuestError, GuestLoadError
from sentinel_host.sandbox import GuestEngine, load_artefact
from sentinel_host.sandbox.artefact import MAX_BYTES, parse_artefact, read_artefact
from tests.wat import index

from .conftest import SyncGuest

COMPONENT = b"\0asm\x0d\0\x01\0"


def leb(number: int) -> bytes:
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def section(number: int, body: bytes) -> bytes:
    return bytes([number]) + leb(len(body)) + body


def text(value: str) -> bytes:
    return leb(len(value.encode())) + value.encode()


def producers(**fields: tuple[str, str]) -> bytes:
    body = text("producers") + leb(len(fields))
    for name, (tool, version) in fields.items():
        body += text(name) + leb(1) + text(tool) + text(version)
    return section(0, body)


def component(*modules: bytes) -> bytes:
    return COMPONENT + b"".join(section(1, module) for module in modules)


SHIM = bytes(wat2wasm('(module (table (export "$imports") 1 1 funcref) (func (export "0") (param i32 i32 i32)))'))


def test_a_core_module_is_its_own_core() -> None:
    data = index.wasm("good/echo")
    artefact = parse_artefact(data, "echo.wasm")
    assert (artefact.core, artefact.is_component, artefact.size) == (data, False, len(data))
    assert len(artefact.sha256) == 64


def test_a_component_is_unwrapped_to_the_module_with_memory_and_hooks() -> None:
    echo = index.wasm("good/echo")
    artefact = parse_artefact(component(SHIM, echo, SHIM), "echo.wasm")
    assert artefact.is_component
    assert artefact.core == echo


def test_a_component_without_memory_is_unwrapped_all_the_same(engine: GuestEngine) -> None:
    """The check then says that the memory is missing, which helps more than that there is no
    guest.
    """
    artefact = parse_artefact(component(index.wasm("refused/memory_missing")), "x.wasm")
    with pytest.raises(GuestLoadError, match="exports no memory"):
        load_artefact(artefact, "x", engine)


def test_producers_name_language_and_sdk() -> None:
    inner = index.wasm("good/echo") + producers(language=("Rust", "2021"), sdk=("other", "1"))
    data = component(inner) + producers(sdk=("sentinel-sdk", "0.1.0"))
    artefact = parse_artefact(data, "echo.wasm")
    assert (artefact.language, artefact.sdk) == ("Rust 2021", "sentinel-sdk 0.1.0")


@pytest.mark.parametrize("body", [b"", text("producers"), text("producers") + b"\xff\xff\xff\xff\x0f", b"\x09producer"])
def test_producers_that_cannot_be_read_are_no_reason_to_refuse(body: bytes) -> None:
    artefact = parse_artefact(index.wasm("good/echo") + section(0, body), "echo.wasm")
    assert (artefact.language, artefact.sdk) == (None, None)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh\n", "is not WebAssembly"),
        (b"\0as", "is not WebAssembly"),
        (b"\0asm", "is truncated in its header"),
        (b"\0asm\x01\0\0", "is truncated in its header"),
        (b"\0asm\x02\0\0\0", "has an unknown WebAssembly version 02000000"),
        (b"(module)", "is not WebAssembly"),
        (COMPONENT, "none of its core modules exports a hook"),
        (COMPONENT + b"\x01\x80", "the file is truncated at byte 10"),
        (COMPONENT + b"\x01\x05abc", "is truncated: section 1 at byte 10 has 3 of 5 bytes"),
        (COMPONENT + b"\x01\xff\xff\xff\xff\x7f", "has a bad number"),
        (COMPONENT + b"\x01\x80\x80\x80\x80\x80\x00", "has a bad number"),
        (component(component()), "has a component where a core module should be"),
        (component(b"junk"), "is not WebAssembly"),
        (component(SHIM), "none of its core modules exports a hook"),
        (component(index.wasm("good/echo"), index.wasm("good/nil")), "2 of its core modules export hooks"),
        (component(index.wasm("good/echo")[:-20]), "is truncated"),
        (component(b"\0asm\x01\0\0\0" + section(7, b"\x01\x02a\xff\x00\x00")), "a name that is not UTF-8"),
        (component(b"\0asm\x01\0\0\0" + section(7, b"\x01\x01a\x09\x00")), "export a has an unknown kind 9"),
        (component(b"\0asm\x01\0\0\0" + section(7, b"\xff\xff\xff\xff\x0f")), "section 7 is truncated"),
    ],
)
def test_names_what_is_wrong(data: bytes, what: str) -> None:
    with pytest.raises(GuestLoadError) as caught:
        parse_artefact(data, "some/guest.wasm")
    assert str(caught.value).startswith("some/guest.wasm: ")
    assert what in str(caught.value)


def test_reads_regular_files_only(tmp_path: Path) -> None:
    missing = tmp_path / "missing.wasm"
    with pytest.raises(GuestLoadError, match=r"missing\.wasm: no such file"):
        read_artefact(missing)
    with pytest.raises(GuestLoadError, match="is not a regular file"):
        read_artefact(tmp_path)
    fifo = tmp_path / "fifo.wasm"
    os.mkfifo(fifo)
    with pytest.raises(GuestLoadError, match="is not a regular file"):
        read_artefact(fifo)
    huge = tmp_path / "huge.wasm"
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(GuestLoadError, match="is larger than"):
        read_artefact(huge)


def test_loads_from_a_file(tmp_path: Path, engine: GuestEngine, runner: asyncio.Runner) -> None:
    path = tmp_path / "echo.wasm"
    path.write_bytes(component(index.wasm("good/echo")))
    guest = load_artefact(read_artefact(path), "echo", engine)
    assert (guest.name, guest.path, guest.is_component) == ("echo", str(path), True)
    assert SyncGuest(guest, runner).middleware().on_request(b"\xc0", "r") is None


@pytest.mark.parametrize("name", ["good/echo", "good/log", "hostile/pointers"])
def test_no_prefix_crashes(name: str, engine: GuestEngine) -> None:
    """A file that is still being written: every prefix is refused, or is whole apart from names for
    debugging.
    """
    data = index.wasm(name)
    refused = 0
    for length in range(len(data)):
        try:
            load_artefact(parse_artefact(data[:length], "x.wasm"), "x", engine)
        except GuestLoadError:
            refused += 1
    assert refused > len(data) / 2


@pytest.mark.parametrize("wrapped", [False, True])
def test_500_mutations_never_crash(wrapped: bool, engine: GuestEngine, runner: asyncio.Runner) -> None:
    """What a flipped bit leaves valid is run, too: it may trap or answer nonsense, nothing else."""
    chance = random.Random(20)
    original = index.wasm("good/echo")
    if wrapped:
        original = component(SHIM, original)
    messages: list[str] = []
    ran = 0
    for _ in range(500):
        data = bytearray(original)
        for _ in range(chance.choice((1, 1, 2, 8))):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    data[at] = chance.choice((0, 0x7F, 0x80, 0xFF))
                case 2:
                    del data[at : at + chance.randrange(1, 9)]
                case _:
                    data[at:at] = struct.pack("<I", chance.randrange(1 << 32))
        try:
            guest = load_artefact(parse_artefact(bytes(data), "x.wasm"), "x", engine)
        except GuestLoadError as error:
            messages.append(str(error))
            continue
        if "on-complete" in guest.hooks and not _loops(bytes(data), original):
            with contextlib.suppress(GuestError, GuestLoadError):
                SyncGuest(guest, runner).middleware().on_complete(b"summary", b"", "r")
            ran += 1
    assert len(messages) > 300
    assert all(message.startswith("x.wasm: ") and message.isprintable() for message in messages)
    assert ran > 20


def _loops(data: bytes, original: bytes) -> bool:
    """Whether a mutation may have made a loop: there are no deadlines yet, so such a guest is not
    run.
    """
    return data.count(0x03) > original.count(0x03) or data.count(0x0C) > original.count(0x0C)
