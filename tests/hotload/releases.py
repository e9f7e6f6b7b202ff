"""A gateway whose one guest has versions: each answers with its name, and fails as it is told to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgpack
from wasmtime import wat2wasm

from sentinel_host.cli import main
from tests.supervisor.support import wait_until
from tests.support.clients import Answer, fetch
from tests.support.gateways import GatewayProcess
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
    """A guest that answers 200 with its name, and traps at requests whose method begins with one of these letters.

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
    return f"""
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
admin_token = "{TOKEN}"
trusted_proxies = ["127.0.0.1"]
workers = {workers}
{more}

[guest.versioned]
config = {{}}
{guest}

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9"]

[[route]]
path = "/"
upstream = "origin"
chain = ["versioned"]
"""


def put(gateway: GatewayProcess, data: bytes) -> None:
    """A new version, renamed into place."""
    folder = gateway.folder / "guests"
    fresh = folder / "versioned.new"
    fresh.write_bytes(data)
    os.replace(fresh, folder / "versioned.wasm")


def ask(gateway: GatewayProcess, client: str = "192.0.2.1", method: str = "GET") -> tuple[int, bytes]:
    """What a client gets."""
    answer = fetch(gateway.public, method=method, headers={"x-forwarded-for": client})
    return answer.status, answer.body


def wait_for_answer(gateway: GatewayProcess, name: str, times: int = 1) -> None:
    """Wait until a version has answered so many requests in a row."""

    def is_it() -> bool:
        return all(ask(gateway)[1] == name.encode() for _ in range(times))

    wait_until(is_it, f"answers of {name}", 40)


def admin(gateway: GatewayProcess, path: str, method: str = "GET", token: str | None = TOKEN) -> Answer:
    """What the admin side answers."""
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return fetch(gateway.admin, path, method=method, headers=headers)


def told(gateway: GatewayProcess) -> Mapping[str, Any]:
    """What the admin side tells of the guest."""
    (guest,) = admin(gateway, "/guests").json()["guests"]
    return dict(guest)


def command(gateway: GatewayProcess, *arguments: str) -> int:
    """Run the command against a gateway; returns the exit code."""
    host, port = gateway.admin
    return main([*arguments, "--config", str(gateway.folder / "sentinel.toml"), "--admin", f"{host}:{port}"])
