"""Guests that do as a test says: each hook answers one fixed MessagePack value."""

from __future__ import annotations

from typing import Any

import msgpack
from wasmtime import wat2wasm

from tests.wat import index

_HOOK = """
  (func (export "sentinel:gateway/{interface}@0.1.0#{hook}") {parameters} (result i32)
    (call $reset)
    (call $answer (i32.const {start}) (i32.const {length})))
  (data (i32.const {start}) "{data}")
"""
# Far above what records take from the allocator, which begins at 4096.
_ANSWERS = 1 << 20


def trapping() -> bytes:
    """A guest whose on-request traps."""
    return index.wasm("hostile/unreachable")


def answering(request: Any = None, response: Any = None, *, raw: bytes | None = None) -> bytes:
    """A guest that answers on-request with ``request`` and on-response with ``response``; ``None``
    omits the hook.

    ``raw`` is bytes for on-request as they are.
    """
    answers = []
    if raw is not None or request is not None:
        answers.append(("request-handler", "on-request", 2, msgpack.packb(request) if raw is None else raw))
    if response is not None:
        answers.append(("response-handler", "on-response", 4, msgpack.packb(response)))
    start = _ANSWERS
    hooks = ""
    for interface, hook, parameters, data in answers:
        hooks += _HOOK.format(
            interface=interface,
            hook=hook,
            parameters=f"(param {'i32 ' * parameters})",
            start=start,
            length=len(data),
            data="\\" + data.hex("\\") if data else "",
        )
        start += len(data)
    pages = start // 65536 + 1
    allocator = index.text("allocator")
    return bytes(wat2wasm(f'(module (memory (export "memory") {pages})\n{allocator}\n{hooks})'))


def respond(status: int, headers: list[tuple[Any, Any]], body: bytes = b"") -> list[Any]:
    """The request action that ends the request with this response."""
    return [1, [[status, headers, body], b""]]


def edit(*edits: tuple[str, Any, Any], path: str | None = None, method: str | None = None) -> list[Any]:
    """The request action that changes the request; an edit is ``("set" or "append", name,
    value)``.
    """
    cases = {"set": 0, "append": 1}
    return [0, [[[cases[kind], [name, value]] for kind, name, value in edits], b"", path, None, method]]


def edit_response(*edits: tuple[str, Any, Any], status: int | None = None) -> list[Any]:
    """The response action that changes the response."""
    cases = {"set": 0, "append": 1}
    return [0, [[[cases[kind], [name, value]] for kind, name, value in edits], status]]
