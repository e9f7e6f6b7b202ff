"""Components in the text format, of parts that tests combine. None is what a toolchain wrote."""

from __future__ import annotations

from wasmtime import wat2wasm

LOG = """
(import "sentinel:gateway/log@0.1.0" (instance $log
  (export "write" (func (param "level" u32) (param "message" string)))))"""

LIBC = """
(core module $libc-module
  (memory (export "memory") 1)
  (data (i32.const 1024) "TEXT")
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $next (i32.add (global.get $next) (local.get 3)))
    (i32.sub (global.get $next) (local.get 3))))
(core instance $libc (instantiate $libc-module))
(alias core export $libc "memory" (core memory $memory))
(alias core export $libc "cabi_realloc" (core func $realloc))"""

# It logs what lies at 1024, and answers `nil`.
MAIN = """
(core func $write (canon lower (func $log "write") (memory $memory) (realloc $realloc)))
(core module $main-module
  (import "libc" "memory" (memory 1))
  (import "log" "write" (func $write (param i32 i32 i32)))
  (func (export "hook") (param i32 i32) (result i32)
    (call $write (i32.const 2) (i32.const 1024) (i32.const 4))
    (i64.store (i32.const 16) (i64.const 0))
    (i32.const 16)))
(core instance $main (instantiate $main-module
  (with "libc" (instance $libc))
  (with "log" (instance (export "write" (func $write))))))"""


def lifted(instance: str = "$main", options: str = "") -> str:
    """The export of ``on-request``, from the core function ``hook`` of an instance."""
    return f"""
(alias core export {instance} "hook" (core func $hook))
(func $lifted (param "head" (list u8)) (result (list u8))
  (canon lift (core func $hook) (memory $memory) (realloc $realloc) {options}))
(instance $handler (export "on-request" (func $lifted)))
(export "sentinel:gateway/request-handler@0.1.0" (instance $handler))"""


def component(*parts: str) -> bytes:
    """The binary of a component."""
    return bytes(wat2wasm("(component\n" + "\n".join(parts) + ")"))


def plain(text: str = "TEXT") -> bytes:
    """A component of two modules, whose memory holds ``text``."""
    return component(LOG, LIBC.replace("TEXT", text), MAIN, lifted())


def with_wasi(interface: str, name: str, signature: str, core: str, call: str) -> bytes:
    """A component that calls a function of WASI and then logs four bytes at 32."""
    return component(
        LOG,
        f'(import "{interface}" (instance $wasi (export "{name}" (func {signature}))))',
        LIBC,
        f'(core func $wasi-function (canon lower (func $wasi "{name}") (memory $memory) (realloc $realloc)))',
        MAIN.replace('(import "log"', f'(import "wasi" "{name}" (func $wasi {core}))\n  (import "log"')
        .replace("(call $write (i32.const 2) (i32.const 1024)", f"{call} (call $write (i32.const 2) (i32.const 32)")
        .replace('(with "log"', f'(with "wasi" (instance (export "{name}" (func $wasi-function))))\n  (with "log"'),
        lifted(),
    )
