"""What a guest's WASI calls turn into: the clock, random bytes and standard output, by the host's
functions.

A module in the text format takes WASI's place when a guest is built. The clock and random numbers
need the guest's grant of that name. Standard output and error go to the log. There are no
arguments, no environment, no files and no sleep. This is the one list of what WASI comes to, for
components (preview 2) and for core modules (preview 1).

Rule 1: a function without a grant or without a meaning here traps, after a line in the log that
        names it. The instance is given up then, so the message may lie over the guest's own memory.
Rule 2: the runtimes of some languages do not start without a clock and a seed. For these, `still`
        has a clock that does not move and a fixed seed in place of the trap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sentinel_host.abi.contract import IMPORTS, LOG_LEVELS, PACKAGE, VERSION
from sentinel_host.authoring.flatten.core import Signature
from sentinel_host.authoring.flatten.reader import CannotFlatten
from sentinel_host.sandbox.text_format import quoted

Key = tuple[str, str]
"""An interface without its version, such as ``wasi:clocks/wall-clock``, and a function."""


TRAP: Final[Key] = ("canonical", "trap")
"""A function that a toolchain replaced by a trap."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A function in the text format: its parameters are locals 0, 1 and so on.

    ``still`` is the one without the grant, for rule 2; with ``always`` it is for every guest.
    """

    signature: Signature
    body: str
    grant: str | None = None
    still: str | None = None
    always: bool = False


@dataclass(frozen=True, slots=True)
class Needed:
    """A function that stands in for WASI's: what it is called in the module that is made, and its
    core type.
    """

    export: str
    key: Key
    signature: Signature


_AREA: Final[Signature] = (("i32",), ())
_TO_AREA: Final[Signature] = (("i32", "i32"), ())
_NUMBER: Final[Signature] = ((), ("i64",))
_HANDLE: Final[Signature] = ((), ("i32",))


def _errno(*params: str) -> Signature:
    return params, ("i32",)


# Preview 2. A `datetime` is seconds in a u64, and nanoseconds in a u32 behind it.
_WALL: Final = """
  (local $now i64)
  (local.set $now (call $clock.wall))
  (i64.store (local.get 0) (i64.div_u (local.get $now) (i64.const 1000000000)))
  (i32.store offset=8 (local.get 0) (i32.wrap_i64 (i64.rem_u (local.get $now) (i64.const 1000000000))))"""
_STILL_DATE: Final = "(i64.store (local.get 0) (i64.const 0)) (i32.store offset=8 (local.get 0) (i32.const 0))"
_FINE: Final = "(i64.store (local.get 0) (i64.const 0)) (i32.store offset=8 (local.get 0) (i32.const 1))"
# `list<T>` of nothing: its pointer is aligned and owns nothing.
_NOTHING: Final = "(i32.store (local.get 0) (i32.const 8)) (i32.store offset=4 (local.get 0) (i32.const 0))"
_ABSENT: Final = "(i32.store8 (local.get 0) (i32.const 0))"
_DONE: Final = "(i32.store8 (local.get 1) (i32.const 0))"
_SEED: Final = "(i64.store (local.get 0) (i64.const 1)) (i64.store offset=8 (local.get 0) (i64.const 2))"
_DRAWN_SEED: Final = """
  (i64.store (local.get 0) (call $random.number)) (i64.store offset=8 (local.get 0) (call $random.number))"""
# The host's function writes a list's pointer and length to the area, as WASI's does.
_RANDOM_LIST: Final = """
  (if (i64.gt_u (local.get 0) (i64.const 65536)) (then (unreachable)))
  (call $random.bytes (i32.wrap_i64 (local.get 0)) (local.get 1))"""
_WRITE: Final = "(call $print (local.get 0) (local.get 1) (local.get 2)) (i32.store8 (local.get 3) (i32.const 0))"

_PREVIEW_2: Final[Mapping[Key, StandIn]] = {
    ("wasi:clocks/wall-clock", "now"): StandIn(_AREA, _WALL, "clock", _STILL_DATE),
    ("wasi:clocks/wall-clock", "resolution"): StandIn(_AREA, _FINE),
    ("wasi:clocks/monotonic-clock", "now"): StandIn(_NUMBER, "(call $clock.monotonic)", "clock", "(i64.const 0)"),
    ("wasi:clocks/monotonic-clock", "resolution"): StandIn(_NUMBER, "(i64.const 1)"),
    ("wasi:random/random", "get-random-bytes"): StandIn((("i64", "i32"), ()), _RANDOM_LIST, "random"),
    ("wasi:random/random", "get-random-u64"): StandIn(_NUMBER, "(call $random.number)", "random"),
    ("wasi:random/insecure", "get-insecure-random-bytes"): StandIn((("i64", "i32"), ()), _RANDOM_LIST, "random"),
    ("wasi:random/insecure", "get-insecure-random-u64"): StandIn(_NUMBER, "(call $random.number)", "random"),
    ("wasi:random/insecure-seed", "insecure-seed"): StandIn(_AREA, _DRAWN_SEED, "random", _SEED, always=True),
    ("wasi:cli/environment", "get-environment"): StandIn(_AREA, _NOTHING),
    ("wasi:cli/environment", "get-arguments"): StandIn(_AREA, _NOTHING),
    ("wasi:cli/environment", "initial-cwd"): StandIn(_AREA, _ABSENT),
    ("wasi:filesystem/preopens", "get-directories"): StandIn(_AREA, _NOTHING),
    ("wasi:cli/terminal-stdin", "get-terminal-stdin"): StandIn(_AREA, _ABSENT),
    ("wasi:cli/terminal-stdout", "get-terminal-stdout"): StandIn(_AREA, _ABSENT),
    ("wasi:cli/terminal-stderr", "get-terminal-stderr"): StandIn(_AREA, _ABSENT),
    # The handles are the numbers that the streams have in preview 1.
    ("wasi:cli/stdin", "get-stdin"): StandIn(_HANDLE, "(i32.const 0)"),
    ("wasi:cli/stdout", "get-stdout"): StandIn(_HANDLE, "(i32.const 1)"),
    ("wasi:cli/stderr", "get-stderr"): StandIn(_HANDLE, "(i32.const 2)"),
    ("wasi:io/streams", "[method]output-stream.check-write"): StandIn(
        _TO_AREA, f"{_DONE} (i64.store offset=8 (local.get 1) (i64.const 8192))"
    ),
    ("wasi:io/streams", "[method]output-stream.write"): StandIn((("i32",) * 4, ()), _WRITE),
    ("wasi:io/streams", "[method]output-stream.blocking-write-and-flush"): StandIn((("i32",) * 4, ()), _WRITE),
    ("wasi:io/streams", "[method]output-stream.flush"): StandIn(_TO_AREA, _DONE),
    ("wasi:io/streams", "[method]output-stream.blocking-flush"): StandIn(_TO_AREA, _DONE),
    ("wasi:io/streams", "[method]output-stream.subscribe"): StandIn((("i32",), ("i32",)), "(i32.const 0)"),
    ("wasi:io/poll", "[method]pollable.block"): StandIn(_AREA, ""),
    ("wasi:io/poll", "[method]pollable.ready"): StandIn((("i32",), ("i32",)), "(i32.const 1)"),
}

# Preview 1: what counts is the errno that is returned.
_SUCCESS: Final = "(i32.const 0)"
_BAD_DESCRIPTOR: Final = "(i32.const 8)"
_NO_SIZES: Final = "(i32.store (local.get 0) (i32.const 0)) (i32.store (local.get 1) (i32.const 0)) (i32.const 0)"
_CLOCK_TIME: Final = """
  (if (i32.gt_u (local.get 0) (i32.const 1)) (then (return (i32.const 28))))
  (i64.store (local.get 2) (if (result i64) (local.get 0) (then (call $clock.monotonic)) (else (call $clock.wall))))
  (i32.const 0)"""
# Go's runtime takes a clock that says 0 for broken.
_STILL_TIME: Final = "(i64.store (local.get 2) (i64.const 1000000000)) (i32.const 0)"
# Whoever sleeps is woken at once. Go's runtime sleeps where it reports a failure of its own.
_NO_EVENTS: Final = "(i32.store (local.get 3) (i32.const 0)) (i32.const 0)"
_RANDOM_FILL: Final = """
  (block $done (loop $next
    (br_if $done (i32.lt_u (local.get 1) (i32.const 8)))
    (i64.store (local.get 0) NUMBER)
    (local.set 0 (i32.add (local.get 0) (i32.const 8)))
    (local.set 1 (i32.sub (local.get 1) (i32.const 8)))
    (br $next)))
  (block $end (loop $byte
    (br_if $end (i32.eqz (local.get 1)))
    (i32.store8 (local.get 0) (i32.wrap_i64 NUMBER))
    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
    (br $byte)))
  (i32.const 0)"""
_FD_WRITE: Final = """
  (local $written i32)
  (if (i32.gt_u (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
  (block $done (loop $next
    (br_if $done (i32.eqz (local.get 2)))
    (call $print (local.get 0) (i32.load (local.get 1)) (i32.load offset=4 (local.get 1)))
    (local.set $written (i32.add (local.get $written) (i32.load offset=4 (local.get 1))))
    (local.set 1 (i32.add (local.get 1) (i32.const 8)))
    (local.set 2 (i32.sub (local.get 2) (i32.const 1)))
    (br $next)))
  (i32.store (local.get 3) (local.get $written))
  (i32.const 0)"""
# A character device without rights.
_FDSTAT: Final = """
  (if (i32.gt_u (local.get 0) (i32.const 2)) (then (return (i32.const 8))))
  (i64.store (local.get 1) (i64.const 2))
  (i64.store offset=8 (local.get 1) (i64.const 0))
  (i64.store offset=16 (local.get 1) (i64.const 0))
  (i32.const 0)"""

_PREVIEW_1: Final[Mapping[str, StandIn]] = {
    "args_sizes_get": StandIn(_errno("i32", "i32"), _NO_SIZES),
    "args_get": StandIn(_errno("i32", "i32"), _SUCCESS),
    "environ_sizes_get": StandIn(_errno("i32", "i32"), _NO_SIZES),
    "environ_get": StandIn(_errno("i32", "i32"), _SUCCESS),
    "clock_time_get": StandIn(_errno("i32", "i64", "i32"), _CLOCK_TIME, "clock", _STILL_TIME),
    "clock_res_get": StandIn(_errno("i32", "i32"), "(i64.store (local.get 1) (i64.const 1)) (i32.const 0)"),
    "random_get": StandIn(
        _errno("i32", "i32"),
        _RANDOM_FILL.replace("NUMBER", "(call $random.number)"),
        "random",
        _RANDOM_FILL.replace("NUMBER", "(i64.const 0x5bd1e995cafef00d)"),
    ),
    "fd_write": StandIn(_errno("i32", "i32", "i32", "i32"), _FD_WRITE),
    "fd_read": StandIn(_errno("i32", "i32", "i32", "i32"), _BAD_DESCRIPTOR),
    "fd_close": StandIn(_errno("i32"), _BAD_DESCRIPTOR),
    "fd_seek": StandIn(_errno("i32", "i64", "i32", "i32"), _BAD_DESCRIPTOR),
    "fd_fdstat_get": StandIn(_errno("i32", "i32"), _FDSTAT),
    "fd_fdstat_set_flags": StandIn(_errno("i32", "i32"), _SUCCESS),
    # This is how a runtime learns which directories there are, and that there are none.
    "fd_prestat_get": StandIn(_errno("i32", "i32"), _BAD_DESCRIPTOR),
    "fd_prestat_dir_name": StandIn(_errno("i32", "i32", "i32"), _BAD_DESCRIPTOR),
    "sched_yield": StandIn(_errno(), _SUCCESS),
    "poll_oneoff": StandIn(_errno("i32", "i32", "i32", "i32"), _NO_EVENTS),
    "proc_exit": StandIn((("i32",), ()), "(unreachable)"),
}

# The component model's own. A guest's resources are its own affair, so that a handle is what it
# stands for.
_CANONICAL: Final[Mapping[Key, StandIn]] = {
    ("canonical", "resource.new"): StandIn((("i32",), ("i32",)), "(local.get 0)"),
    ("canonical", "resource.rep"): StandIn((("i32",), ("i32",)), "(local.get 0)"),
    ("canonical", "resource.drop"): StandIn(_AREA, ""),
}

STAND_INS: Final[Mapping[Key, StandIn]] = {
    **_PREVIEW_2,
    **_CANONICAL,
    **{("wasi_snapshot_preview1", name): stand_in for name, stand_in in _PREVIEW_1.items()},
}

OFFERED: Final[Mapping[str, Signature]] = {
    f"{entry.interface}.{entry.name}": (entry.params, entry.results) for entry in IMPORTS
}
"""The gateway's own functions, such as ``log.write``."""

_INFO, _WARN, _ERROR = LOG_LEVELS.index("info"), LOG_LEVELS.index("warn"), LOG_LEVELS.index("error")

# Stream 1 is standard output, 2 standard error. The log ends lines by itself.
_PRINT: Final = f"""
(func $print (param $stream i32) (param $start i32) (param $length i32)
  (if (i32.eqz (local.get $length)) (then (return)))
  (if (i32.eq
        (i32.load8_u (i32.sub (i32.add (local.get $start) (local.get $length)) (i32.const 1)))
        (i32.const 10))
    (then (local.set $length (i32.sub (local.get $length) (i32.const 1)))))
  (if (i32.eqz (local.get $length)) (then (return)))
  (call $log.write
    (if (result i32) (i32.eq (local.get $stream) (i32.const 2)) (then (i32.const {_WARN})) (else (i32.const {_INFO})))
    (local.get $start) (local.get $length)))"""

# Where a last message is put. Nothing lies at 0 in most languages, and nothing of this instance is
# used again.
_MESSAGE_AT: Final = 8


def without_version(interface: str) -> str:
    """``wasi:io/poll@0.2.0`` as ``wasi:io/poll``."""
    return interface.partition("@")[0]


def stand_in_module(
    needed: Iterable[Needed],
    memory: tuple[str, str],
    grants: frozenset[str],
    *,
    still: bool = False,
    passed_on: Iterable[str] = (),
) -> str:
    """A module, in the text format, that exports what is ``needed``; ``memory`` is where it imports
    the guest's from.

    ``passed_on`` are labels of `OFFERED` that it exports under these names. What is no key of
    `STAND_INS` traps. Raises `CannotFlatten` for a function that has another type
    than WASI's.
    """
    functions = []
    for function in needed:
        params, results = function.signature
        head = f"(func (export {quoted(function.export)})"
        head += f" (param {' '.join(params)})" if params else ""
        head += f" (result {' '.join(results)})" if results else ""
        functions.append(f"{head} {_body(function, grants, still)})")
    text = "\n".join(functions)
    uses_print = "$print" in text
    offered = {f"{entry.interface}.{entry.name}": entry for entry in IMPORTS}
    text += "".join(f'\n(export "{label}" (func ${label}))' for label in sorted(passed_on))
    imported = [
        f'(import "{PACKAGE}/{entry.interface}@{".".join(map(str, VERSION))}" "{entry.name}" '
        f"(func ${label} (param {' '.join(entry.params)}) (result {' '.join(entry.results)})))"
        for label, entry in offered.items()
        if f"${label}" in text + (_PRINT if uses_print else "")
    ]
    lines = [*imported, f"(import {quoted(memory[0])} {quoted(memory[1])} (memory 0))"]
    return "\n".join(["(module", *lines, _PRINT if uses_print else "", text, ")"])


def _body(function: Needed, grants: frozenset[str], still: bool) -> str:
    if function.key == TRAP:
        return "(unreachable)"
    interface, name = function.key
    stand_in = STAND_INS.get(function.key)
    if stand_in is None:
        return _refusal(f"{interface} {name} is not to be had in a guest")
    if stand_in.signature != function.signature:
        raise CannotFlatten(f"imports {interface} {name} with another type than WASI gives it")
    if stand_in.grant is None or stand_in.grant in grants:
        return stand_in.body
    if stand_in.still is not None and (still or stand_in.always):
        return stand_in.still
    return _refusal(f'{interface} {name} needs the grant "{stand_in.grant}"')


def _refusal(message: str) -> str:
    data = message.encode()
    padded = data + bytes(-len(data) % 8)
    stores = [
        f"(i64.store offset={_MESSAGE_AT + place} (i32.const 0) "
        f"(i64.const {int.from_bytes(padded[place : place + 8], 'little')}))"
        for place in range(0, len(padded), 8)
    ]
    say = f"(call $log.write (i32.const {_ERROR}) (i32.const {_MESSAGE_AT}) (i32.const {len(data)}))"
    return " ".join([*stores, say, "(unreachable)"])
