"""Memory images and variables, taken out of modules and put back."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from sentinel_host.authoring.flatten import data, variables
from sentinel_host.authoring.flatten.reader import CannotFlatten

MEMORY = '(memory (export "memory") 1)'
USER = '(import "m" "memory" (memory 1))'
FIRST = "(global $v (mut i32) (i32.const 7))"


def module(text: str) -> bytes:
    return bytes(wat2wasm(f"(module {text})"))


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (FIRST, 1),
        (f"{USER} {FIRST}", 1),
        (f'(import "m" "g" (global i32)) {FIRST}', 1),
        (f"(func (global.set $v (i32.const 1))) {FIRST} (global (mut i64) (i64.const -1))", 2),
        (f"{FIRST} (global (mut f64) (f64.const 0.5)) (global (mut f32) (f32.const 1))", 3),
        (f"{FIRST} (global i32 (i32.const 8)) (global (mut i32) (i32.const 9))", 1),
        (f"{FIRST} (global (mut i32) (i32.add (i32.const 1) (i32.const 2)))", 1),
        (f"{FIRST} (global (mut v128) (v128.const i64x2 1 2))", 1),
        (f"{FIRST} (global (mut funcref) (ref.null func))", 1),
        (f'{FIRST} (export "v" (global $v))', 0),
        (f'(import "m" "g" (global i32)) (global (mut i32) (global.get 0)) {FIRST}', 0),
        (f"(global i32 (i32.const 8)) {FIRST}", 0),
        ("", 0),
    ],
)
def test_a_modules_first_variables(text: str, taken: int) -> None:
    whole = module(text)
    ((name, emptied),), starts = variables.take_out([("i0", whole)])
    assert (name, list(starts)) == ("i0", [f"i0.{index}" for index in range(taken)])
    assert (emptied == whole) == (taken == 0)
    assert variables.put_back(emptied, starts) == whole


def test_variables_that_differ_leave_the_same_code() -> None:
    (one, _), (other, _) = (variables.take_out([("i0", module(FIRST.replace("7", number)))]) for number in ("1", "200"))
    assert one == other


# Each module's data, and whether it is taken out.
DATA = [
    ([f'{MEMORY} (data (i32.const 8) "a") (data (i32.const 16) "b")'], True),
    ([f'{MEMORY} (data (i32.const 8) "a")', "(func)"], True),
    ([f'{MEMORY} (data (i32.const 8) "a")', f'{USER} (data "") (data (i32.const 0) "")'], True),
    ([f'{MEMORY} (data (i32.const 8) "a")', f'{USER} (data $e "") (func (data.drop $e))'], True),
    ([f'{MEMORY} (data (i32.const 8) "a")', f'{USER} (data (i32.const 8) "b")'], False),
    ([f'{MEMORY} (data (i32.const 8) "a") (data $e "") (func (data.drop $e))'], False),
    ([f'(import "m" "g" (global i32)) {MEMORY} (data (global.get 0) "a")'], False),
    ([f'{USER} (data (i32.const 8) "a")'], False),
    ([f'{MEMORY} (data "a")'], False),
    ([MEMORY], False),
]


@pytest.mark.parametrize(("texts", "is_taken"), DATA)
def test_the_content_of_the_one_memory(texts: list[str], is_taken: bool) -> None:
    modules = [module(text) for text in texts]
    emptied, contents = data.take_out(modules)
    assert (contents is not None, emptied[1:]) == (is_taken, modules[1:])
    if contents is None:
        assert emptied == modules
    else:
        other = module(texts[0].replace('"a"', '"another"'))
        assert data.take_out([other, *modules[1:]])[0] == emptied
        assert data.put_back(emptied[0], contents) == modules[0]


def test_segments_that_code_refers_to_keep_their_numbers() -> None:
    _, contents = data.take_out([module(f'{MEMORY} (data (i32.const 8) "a")')])
    assert contents is not None
    text = f'{MEMORY} (func (memory.init $e (i32.const 0) (i32.const 0) (i32.const 0))) (data $e "")'
    assert data.put_back(module(text), contents) == module(f'{text} (data (i32.const 8) "a")')


def test_a_segment_of_an_unknown_kind_is_refused() -> None:
    whole = module(f'{MEMORY} (data "a")')
    with pytest.raises(CannotFlatten, match="a data segment of kind 7"):
        data.take_out([whole.replace(b"\x0b\x04\x01\x01\x01a", b"\x0b\x04\x01\x07\x01a")])
