"""What the configurations of several folders' gateways have in common."""

from __future__ import annotations

from tests.support.gateways import ARTEFACTS

GUARDED = """
[guest.api-key-auth]
config = { keys = { "demo-key" = "demo" } }

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log"]

[[route]]
path = "/guarded"
upstream = "origin"
chain = ["access-log", "api-key-auth"]
"""
"""A route that is logged and one that asks for a key too; the upstream's URL is to be put in for UPSTREAM."""

GUARDED_GUESTS = {name: ARTEFACTS / "rust" / f"{name}.wasm" for name in ("access-log", "api-key-auth")}
