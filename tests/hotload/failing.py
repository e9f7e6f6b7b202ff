"""A gateway whose one guest has versions: each answers with its name, and fails as it is told
to.
"""

from __future__ import annotations

import hashlib

import msgpack
from wasmtime import wat2wasm

from tests.hotload.configuration import with_one_route
from tests.wat import index

TOKEN = "an-admin-token-of-enough-characters"
_GUEST = """
(module
  (memory (export "memory") {pages})
{allocator}
  (data (i32.const 1048576) "{answer}")
  ;; A record is an array of ten whose first field is the method, text of three or four bytes.
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (if (i32.and
          (i32.ge_u (i32.load8_u offset=2 (local.get $start)) (i32.const {first}))
          (i32.le_u (i32.load8_u offset=2 (local.get $start)) (i32.const {last})))
      (then unreachable))
    (call $reset)
    (call $answer (i32.const 1048576) (i32.const {length}))))
"""
# Methods by their first letters: GET passes where only DELETE fails.
NEVER, ON_DELETE, ALWAYS = "zz", "DD", "AZ"


def version(name: str, fails: str = NEVER, pages: int = 17) -> bytes:
    """A guest that answers 200 with its name, and traps at requests whose method begins with one of
    these letters.

    It begins with so many pages of memory.
    """
    answer = msgpack.packb([1, [[200, [], name.encode()]]])
    return bytes(
        wat2wasm(
            _GUEST.format(
                pages=pages,
                allocator=index.text("allocator"),
                answer="".join(f"\\{byte:02x}" for byte in answer),
                length=len(answer),
                first=ord(fails[0]),
                last=ord(fails[1]),
            )
        )
    )


def config(guest: str = "", *, workers: int = 1, more: str = "") -> str:
    """A configuration whose one route has one guest; ``guest`` is keys of ``[guest.versioned]``."""
    return with_one_route(
        server=f'admin_token = "{TOKEN}"\ntrusted_proxies = ["127.0.0.1"]\nworkers = {workers}\n{more}',
        guests=f"[guest.versioned]\nconfig = {{}}\n{guest}",
        target="http://127.0.0.1:9",
        chain='"versioned"',
    )


def digest(data: bytes) -> str:
    """What a version is told by."""
    return hashlib.sha256(data).hexdigest()
