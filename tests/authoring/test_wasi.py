"""Core modules that were made for WASI become guests, or are refused by the name of what they
import.
"""

from __future__ import annotations

import pytest

from sentinel_host.authoring.flatten import core
from sentinel_host.authoring.flatten.reader import CannotFlatten
from sentinel_host.authoring.wasi import without_wasi
from sentinel_host.sandbox.text_format import assemble

GUEST = """
(module
  {imports}
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "helper") (result i32) {calls} (i32.const 0))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    {calls} (i32.const 0)))
"""
CLOCK = '(import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))'
READ = "(drop (call $now (i32.const 0) (i64.const 0) (i32.const 0)))"
OURS = '(import "sentinel:gateway/clock@0.1.0" "wall" (func $wall (result i64)))'


def imports_of(module: bytes) -> set[tuple[str, str]]:
    return {(entry.module, entry.name) for entry in core.imports(module)}


def test_the_clock_stands_still_unless_the_guest_asks_the_gateway_for_it() -> None:
    still = without_wasi(assemble(GUEST.format(imports=CLOCK, calls=READ)))
    assert imports_of(still) == set()
    assert set(core.exports(still)) == {
        "memory", "cabi_realloc", "sentinel:gateway/request-handler@0.1.0#on-request",
    }  # fmt: skip
    moving = without_wasi(assemble(GUEST.format(imports=CLOCK + OURS, calls=READ + "(drop (call $wall))")))
    clock = "sentinel:gateway/clock@0.1.0"
    assert imports_of(moving) == {(clock, "wall"), (clock, "monotonic")}


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ('(import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32 i32) (result i32)))', "sock_accept"),
        ('(import "env" "system" (func (param i32) (result i32)))', "env system"),
    ],
)
def test_what_nothing_stands_in_for_is_refused_by_name(wanted: str, named: str) -> None:
    with pytest.raises(CannotFlatten, match=named):
        without_wasi(assemble(GUEST.format(imports=wanted, calls="")))
