"""What the flattener refuses, by name and before any tool runs: what it cannot do, and hostile
components.
"""

from __future__ import annotations

import contextlib

import pytest

from sentinel_host.authoring.flatten.component import Paper
from sentinel_host.authoring.flatten.linking import Linker
from sentinel_host.authoring.flatten.reader import CannotFlatten

from .components import LIBC, LOG, MAIN, component, lifted, plain, with_wasi


def link(data: bytes, unavailable: tuple[str, ...] = ()) -> None:
    Linker(Paper(data), frozenset(), unavailable).link()


NO_MEMORY = """
(core module $m (func (export "hook") (param i32 i32) (result i32) unreachable))
(core instance $main (instantiate $m))
(alias core export $main "hook" (core func $hook))
(func $lifted (canon lift (core func $hook)))
(instance $handler (export "on-request" (func $lifted)))
(export "sentinel:gateway/request-handler@0.1.0" (instance $handler))"""

REFUSED = {
    "a core module": (b"\0asm\x01\0\0\0", "is a core module already"),
    "no WebAssembly": (b"#!/bin/sh\n", "is not WebAssembly"),
    "nothing": (b"", "is not WebAssembly"),
    "no hook": (component(LOG, LIBC, MAIN), "exports no hook of sentinel:gateway"),
    "another function": (
        plain().replace(b"on-request", b"on-reqwest"),
        "exports sentinel:gateway/request-handler@0.1.0 on-reqwest, which is no hook",
    ),
    "an import of its own": (
        with_wasi("acme:db/query@1.0.0", "ask", "", "", "(call $wasi)"),
        "imports acme:db/query ask, which a guest cannot have",
    ),
    "an import by itself": (
        component(
            LOG,
            '(import "ask" (func $ask))',
            LIBC,
            "(core func $asked (canon lower (func $ask)))",
            MAIN.replace('(import "log"', '(import "a" "b" (func))\n(import "log"').replace(
                '(with "log"', '(with "a" (instance (export "b" (func $asked))))\n(with "log"'
            ),
            lifted(),
        ),
        "imports  ask, which a guest cannot have",
    ),
    "another type than WASI's": (
        with_wasi("wasi:random/random@0.2.0", "get-random-u64", "(result u32)", "(result i32)", "(drop (call $wasi))"),
        "imports wasi:random/random get-random-u64 with another type than WASI gives it",
    ),
    "strings in UTF-16": (
        component(LOG, LIBC, MAIN, lifted(options="string-encoding=utf16")),
        "has strings that are not UTF-8",
    ),
    "a hook without memory": (component(NO_MEMORY), "has hooks with different memories, or with none"),
    "values": (component('(import "v" (value string))'), "imports or exports a value"),
    "garbage collection": (
        component(LOG, LIBC, MAIN.replace('(import "libc"', '(type (struct))\n(import "libc"'), lifted()),
        "uses types of the garbage collection proposal",
    ),
    "a shared memory": (
        component(LOG, LIBC, MAIN.replace("(memory 1)", "(memory 1 1 shared)"), lifted()),
        "uses a memory or table that is shared or has 64 bits",
    ),
    "a huge table": (
        component(LOG, LIBC.replace("(memory (export", "(table 4000000000 funcref)\n(memory (export"), MAIN, lifted()),
        "has tables of 4000000000 elements",
    ),
    "calls between components": (
        component(
            LOG,
            LIBC,
            """
(component $inner
  (core module $m (memory (export "m") 1) (func (export "f") (param i32 i32)))
  (core instance $i (instantiate $m))
  (alias core export $i "m" (core memory $m))
  (func (export "f") (param "s" string) (canon lift (core func $i "f") (memory $m))))
(instance $inner-instance (instantiate $inner))
(core func $crossing (canon lower (func $inner-instance "f") (memory $memory)))""",
            MAIN.replace('(import "log"', '(import "a" "b" (func (param i32 i32)))\n(import "log"').replace(
                '(with "log"', '(with "a" (instance (export "b" (func $crossing))))\n(with "log"'
            ),
            lifted(),
        ),
        "imports f , which a guest cannot have",
    ),
}


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_and_names_what_it_cannot_do(data: bytes, said: str) -> None:
    with pytest.raises(CannotFlatten) as caught:
        link(data)
    assert said in str(caught.value)


def test_takes_what_may_be_left_as_a_trap() -> None:
    data = with_wasi("acme:db/query@1.0.0", "ask", "", "", "(call $wasi)")
    link(data, ("acme:db/",))


def test_thousands_of_modules() -> None:
    made = "\n".join("(core instance (instantiate $libc-module))" for _ in range(3000))
    with pytest.raises(CannotFlatten, match="instantiates more than 500 core modules"):
        link(component(LOG, LIBC, made, MAIN, lifted()))


def test_components_that_make_two_of_the_next() -> None:
    """Forty levels would be a million million instances."""
    text = "(core module $m) (core instance (instantiate $m))"
    for _ in range(14):
        text = f"(component $c {text}) (instance (instantiate $c)) (instance (instantiate $c))"
    with pytest.raises(CannotFlatten, match="instantiates more than 500 core modules"):
        link(component(text))


def test_components_deep_in_each_other() -> None:
    text = ""
    for _ in range(40):
        text = f"(component $c {text}) (instance (instantiate $c))"
    with pytest.raises(CannotFlatten, match="more than 16 deep"):
        link(component(text))


def test_definitions_without_end() -> None:
    # One section of 20,000 instances with 100 exports each, all of the same function.
    exports = " ".join(f'(export "{number}" (func $realloc))' for number in range(100))
    made = "\n".join(f"(core instance {exports})" for _ in range(12_000))
    with pytest.raises(CannotFlatten, match="has more than 1000000 definitions"):
        link(component(LOG, LIBC, made))


@pytest.mark.parametrize("kind", [0, 1])
def test_a_cycle_is_a_reference_to_a_later_entry(kind: int) -> None:
    """Indices of a component only point backwards, so this is the one way to write a cycle."""
    # Section 2: one core instance of core module 0; section 5: one instance of component 0. There
    # are none.
    section = (b"\x02\x04\x01\x00\x00\x00", b"\x05\x04\x01\x00\x00\x00")[kind]
    with pytest.raises(CannotFlatten, match=r"refers to (core module|component) 0 of 0"):
        link(b"\0asm\x0d\0\x01\0" + section)


def test_every_beginning_of_a_component_is_refused() -> None:
    whole = plain()
    # Behind that are only names, which nobody needs.
    for size in range(whole.rindex(b"component-name") - 8):
        with pytest.raises(CannotFlatten):
            link(whole[:size])


def test_no_byte_of_a_component_can_do_worse_than_be_refused() -> None:
    whole = plain()
    for place in range(8, len(whole)):
        for value in (0x00, 0x01, 0x7F, 0xFF):
            broken = whole[:place] + bytes((value,)) + whole[place + 1 :]
            with contextlib.suppress(CannotFlatten):
                link(broken)
