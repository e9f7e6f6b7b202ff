"""Components made into one module, by binaryen, and run in the shipping sandbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel_host.authoring.flatten import Flattening, flatten
from sentinel_host.errors import GuestTrap, ToolchainError
from sentinel_host.sandbox import binary
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.testing import Result, TestedGuest

from .components import LIBC, LOG, MAIN, component, lifted, plain, with_wasi

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Flattens a component and calls it; options are those of `Flattening`, and ``clock``."""

    def result(data: bytes, clock: datetime | None = None, **how: object) -> Result:
        file = tmp_path / "guest.wasm"
        file.write_bytes(flatten(data, "guest", Flattening(**how)))  # type: ignore[arg-type]
        guest = TestedGuest(file, clock=clock)
        try:
            return guest.request()
        finally:
            guest.close()

    return result


# One of each kind: WASI's functions, a nested component, a resource, an indirect call, an imported
# start function, a memory whose content has a place that an import says.
EVERYTHING = component(
    LOG,
    """
(import "wasi:cli/stdout@0.2.0" (instance $stdout (export "get-stdout" (func (result u32)))))
(import "wasi:io/streams@0.2.9" (instance $streams
  (export "[method]output-stream.blocking-write-and-flush"
    (func (param "self" u32) (param "contents" (list u8)) (result (result (error u32)))))))
(type $thing (resource (rep i32)))
(core func $new (canon resource.new $thing))
(core func $rep (canon resource.rep $thing))
(core func $drop (canon resource.drop $thing))
(component $inner
  (core module $m (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))
  (core instance $i (instantiate $m))
  (func (export "double") (param "n" u32) (result u32) (canon lift (core func $i "double"))))
(instance $inner-instance (instantiate $inner))
(core func $double (canon lower (func $inner-instance "double")))""",
    LIBC,
    """
(core module $shim
  (table (export "table") 1 1 funcref)
  (func (export "write") (param i32 i32 i32 i32)
    (call_indirect (param i32 i32 i32 i32)
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0))))
(core instance $shim (instantiate $shim))
(core func $stdout (canon lower (func $stdout "get-stdout")))
(core module $place (global (export "place") i32 (i32.const 2048)))
(core instance $place (instantiate $place))
(core module $starter
  (import "libc" "memory" (memory 1))
  (func (export "start") (i32.store8 (i32.const 2049) (i32.const 0x21))))
(core instance $starter (instantiate $starter (with "libc" (instance $libc))))
(core module $starts (import "starter" "start" (func $start)) (start $start))
(core module $main-module
  (import "libc" "memory" (memory 1))
  (import "shim" "write" (func $write (param i32 i32 i32 i32)))
  (import "out" "get-stdout" (func $stdout (result i32)))
  (import "place" "place" (global $place i32))
  (import "thing" "new" (func $new (param i32) (result i32)))
  (import "thing" "rep" (func $rep (param i32) (result i32)))
  (import "thing" "drop" (func $drop (param i32)))
  (import "inner" "double" (func $double (param i32) (result i32)))
  (data (global.get $place) "a?c")
  (func (export "hook") (param i32 i32) (result i32) (local $thing i32)
    (local.set $thing (call $new (i32.const 49)))
    (i32.store8 (i32.const 2050) (call $double (call $rep (local.get $thing))))
    (call $drop (local.get $thing))
    (call $write (call $stdout) (i32.const 2048) (i32.const 3) (i32.const 64))
    (i64.store (i32.const 16) (i64.const 0))
    (i32.const 16)))
(core instance $main (instantiate $main-module
  (with "libc" (instance $libc))
  (with "shim" (instance $shim))
  (with "out" (instance (export "get-stdout" (func $stdout))))
  (with "place" (instance $place))
  (with "thing" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))
  (with "inner" (instance (export "double" (func $double))))))
(core instance (instantiate $starts (with "starter" (instance $starter))))
(core func $real (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
  (memory $memory) (realloc $realloc)))
(alias core export $shim "table" (core table $table))
(core module $fixup
  (import "" "table" (table 1 1 funcref))
  (import "" "write" (func (param i32 i32 i32 i32)))
  (elem (i32.const 0) func 0))
(core instance (instantiate $fixup
  (with "" (instance (export "table" (table $table)) (export "write" (func $real))))))""",
    lifted(),
)


def test_modules_become_one(run: Run) -> None:
    result = run(EVERYTHING)
    assert (result.action, result.logs) == ("continue", (("info", "a!b"),))


def test_unchanged_code_is_merged_once(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """Guests of one interpreter differ in what lies in its memory."""
    first = flatten(plain("one "), "guest", Flattening())
    monkeypatch.setenv("PATH", "/nowhere")
    assert flatten(plain("one "), "guest", Flattening()) == first
    assert run(plain("two ")).logs == (("info", "two "),)


def with_image(text: str, at: int) -> bytes:
    """What a tool leaves that makes a memory image: an empty segment to which code refers, and a
    variable that has the guest's own number.
    """
    variable = f'(global $at (mut i32) (i32.const {at}))\n  (data $gone "")\n  (func (export "hook")'
    call = "(memory.init $gone (i32.const 0) (i32.const 0) (i32.const 0)) (call $write (i32.const 2) (global.get $at)"
    main = MAIN.replace('(func (export "hook")', variable).replace("(call $write (i32.const 2) (i32.const 1024)", call)
    return component(LOG, LIBC.replace("TEXT", text), main, lifted())


def test_code_around_a_memory_image_is_merged_once(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """QuickJS's code was merged anew for each guest, at ten seconds of CPU time."""
    assert run(with_image("one two ", 1024)).logs == (("info", "one "),)
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(with_image("one two ", 1028)).logs == (("info", "two "),)
    assert run(with_image("SEE YOU ", 1028)).logs == (("info", "YOU "),)


def test_sections_are_carried_over() -> None:
    made = plain() + binary.custom_section("sentinel:self-test", b"[]") + binary.custom_section("other", b"x")
    how = Flattening(
        sections={"sentinel:config-schema": b"{}", "sentinel:source-map": b"{}"},
        producers={"language": [("Python", "3.14")], "sdk": [("sentinel-sdk", "1")]},
    )
    artefact = parse_artefact(flatten(made, "guest", how), "guest.wasm")
    assert (artefact.self_test, artefact.config_schema, artefact.source_map) == (b"[]", b"{}", b"{}")
    assert (artefact.language, artefact.sdk) == ("Python 3.14", "sentinel-sdk 1")
    assert binary.custom_sections(flatten(made, "guest", how), "other") == []


def test_hooks_that_are_not_wanted_are_not_exported() -> None:
    names = binary.exports(flatten(plain(), "guest", Flattening(hooks=frozenset({"configure"}))))
    assert set(names) == {"memory", "cabi_realloc"}


CLOCK = with_wasi(
    "wasi:clocks/wall-clock@0.2.3",
    "now",
    "(result (tuple u64 u32))",
    "(param i32)",
    # The seconds' last digit, as text.
    "(call $wasi (i32.const 48)) (i32.store (i32.const 32) "
    "(i32.add (i32.const 0x30303030) (i32.rem_u (i32.load (i32.const 48)) (i32.const 10))))",
)
NOW = datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)


def test_the_clock_needs_its_grant(run: Run) -> None:
    assert run(CLOCK, clock=NOW, grants=frozenset({"clock"})).logs == (("info", "7000"),)
    with pytest.raises(GuestTrap):
        run(CLOCK)


def test_a_trap_says_what_was_missing(tmp_path: Path) -> None:
    file = tmp_path / "guest.wasm"
    file.write_bytes(flatten(CLOCK, "guest", Flattening()))
    guest = TestedGuest(file)
    with pytest.raises(GuestTrap):
        guest.request()
    assert guest.take_logs() == (("error", 'wasi:clocks/wall-clock now needs the grant "clock"'),)
    guest.close()


def test_errors_name_the_guest() -> None:
    with pytest.raises(ToolchainError, match=re.escape("g: its component cannot be made into one module: it is no")):
        flatten(b"nothing", "g", Flattening())


def test_a_second_memory_that_is_used() -> None:
    second = MAIN.replace(
        '(import "log"', '(import "second" "load" (func $load (result i32)))\n  (import "log"'
    ).replace("(call $write (i32.const 2)", "(call $write (call $load)")
    given = second.replace('(with "log"', '(with "second" (instance $second))\n  (with "log"')
    other = """
(core module $second (memory 1) (func (export "load") (result i32) (i32.load (i32.const 0))))
(core instance $second (instantiate $second))"""
    with pytest.raises(ToolchainError, match="uses 2 memories, and a guest has one"):
        flatten(component(LOG, LIBC, other, given, lifted()), "guest", Flattening())


def test_post_return_may_free_the_list(tmp_path: Path) -> None:
    """componentize-py's own keeps it: a guest's memory grew with every call."""
    libc = LIBC.replace(
        '(func (export "cabi_realloc")',
        '(func (export "malloc") (param i32) (result i32) unreachable)\n'
        '(func (export "free") (param i32) (i32.store8 (i32.const 1024) (local.get 0)))\n'
        '(func (export "cabi_realloc")',
    )
    # The answer is `nil`, at 65, which is an A.
    main = MAIN.replace(
        "(i64.store (i32.const 16) (i64.const 0))",
        "(i32.store8 (i32.const 65) (i32.const 0xc0)) (i32.store (i32.const 16) (i32.const 65)) "
        "(i32.store (i32.const 20) (i32.const 1))",
    ).replace('(func (export "hook")', '(func (export "post") (param i32))\n  (func (export "hook")')
    post = '(alias core export $main "post" (core func $post))'
    data = component(LOG, libc, main, post, lifted(options="(post-return (core func $post))"))
    file = tmp_path / "guest.wasm"
    file.write_bytes(flatten(data, "guest", Flattening(frees_results=True)))
    guest = TestedGuest(file)
    assert [guest.request().logs for _ in range(2)] == [(("info", "TEXT"),), (("info", "AEXT"),)]
    guest.close()
