"""Guests in WAT that ask for a body and do with each of its chunks as a test says; every chunk they
see, they log.
"""

from __future__ import annotations

from typing import Any

import msgpack
from wasmtime import wat2wasm

from tests.wat import index

STREAM = [1]
TRAP = "trap"
SLOW = "slow"
NIL = None

# Above what bodies take from the allocator, which begins at 4096.
_ANSWERS = 3 << 20

_HEAD = """
  (func (export "sentinel:gateway/{way}-handler@0.1.0#on-{way}") (param {parameters}) (result i32)
    (call $reset)
    (call $answer (i32.const {start}) (i32.const {length})))
"""

# The last chunk is logged as info, others as warnings. The count begins again with each body: it
# shows in the answers when two bodies share an instance, or one body is spread over two.
_CHUNK = """
  (global $count (mut i32) (i32.const 0))
  (func (export "sentinel:gateway/{way}-body-handler@0.1.0#on-{way}-chunk")
    (param $start i32) (param $length i32) (param $last i32) (param i32 i32) (result i32)
    (local $now i32) (local $left i32)
    {log}
    (call $reset)
    (local.set $now (global.get $count))
    (global.set $count (i32.add (local.get $now) (i32.const 1)))
    (if (local.get $last) (then (global.set $count (i32.const 0))))
    {answers}
    unreachable)
"""

_LOG = "(call $log (i32.sub (i32.const 3) (local.get $last)) (local.get $start) (local.get $length))"

_SLOW = """
    (local.set $left (i32.const 20000000))
    (loop $more
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
"""


def buffer(limit: int) -> list[int]:
    """The mode that holds a body of at most ``limit`` bytes."""
    return [2, limit]


def replace(data: bytes) -> list[Any]:
    """The action that sends these bytes instead of the chunk."""
    return [0, data]


def respond(status: int, body: bytes = b"", **headers: bytes) -> list[Any]:
    """The action that answers instead."""
    return [1, [status, [[name, value] for name, value in headers.items()], body]]


def on_request(mode: list[int], *answers: Any, chunk_hook: bool = True) -> bytes:
    """A guest that asks for requests' bodies by ``mode`` and answers the n-th chunk with the n-th
    of ``answers``.

    The last one answers all that follow. `TRAP` traps; ``(SLOW, answer)`` takes some 5 ms.
    """
    action = [0, [[], b"", None, None, None, None, mode]]
    return _guest("request", "i32 i32", action, answers if chunk_hook else ())


def on_response(mode: list[int], *answers: Any, chunk_hook: bool = True, lines: bool = True) -> bytes:
    """The same for responses; without ``lines`` the guest logs nothing."""
    action = [0, [[], None, mode]]
    return _guest("response", "i32 i32 i32 i32", action, answers if chunk_hook else (), _LOG if lines else "")


def _guest(way: str, parameters: str, head: Any, answers: tuple[Any, ...], log: str = _LOG) -> bytes:
    data = bytearray()

    def place(value: Any) -> dict[str, int]:
        packed = msgpack.packb(value)
        data.extend(packed)
        return {"start": _ANSWERS + len(data) - len(packed), "length": len(packed)}

    hooks = _HEAD.format(way=way, parameters=parameters, **place(head))
    if answers:
        steps = ""
        for number, answer in enumerate(answers):
            slow = isinstance(answer, tuple)
            step = "unreachable"
            if answer != TRAP:
                at = place(answer[1] if slow else answer)
                step = f"(return (call $answer (i32.const {at['start']}) (i32.const {at['length']})))"
            step = (_SLOW if slow else "") + step
            is_last = number == len(answers) - 1
            steps += step if is_last else f"(if (i32.eq (local.get $now) (i32.const {number})) (then {step}))"
        hooks += _CHUNK.format(way=way, answers=steps, log=log)
    escaped = "".join(f"\\{byte:02x}" for byte in data)
    return bytes(
        wat2wasm(
            '(module (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))'
            f'(memory (export "memory") {(_ANSWERS + len(data)) // 65536 + 1})\n{index.text("allocator")}\n{hooks}'
            f'(data (i32.const {_ANSWERS}) "{escaped}"))'
        )
    )
