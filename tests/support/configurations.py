"""What the configurations of several folders' gateways have in common."""

from __future__ import annotations

from tests.support.gateways import ARTEFACTS

ONE_ORIGIN = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]
"""
"""A listener and an upstream, to which the text may add keys; its URL is to be put in for
UPSTREAM.
"""

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
"""A route that is logged and one that asks for a key too; the upstream's URL is to be put in for
UPSTREAM.
"""

GUARDED_GUESTS = {name: ARTEFACTS / "rust" / f"{name}.wasm" for name in ("access-log", "api-key-auth")}
