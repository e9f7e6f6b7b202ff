"""A gateway of three guests and two routes, and who asks its admin side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.clients import Answer, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess

TOKEN = "the-token-of-this-test"
KEY = {"x-api-key": "demo-key"}
CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
admin_token = "the-token-of-this-test"
workers = WORKERS

[guest.api-key-auth]
config = { keys = { "demo-key" = "demo" } }

[guest.header-injection.config]
request = { set = { "x-gateway" = "sentinel" } }
response = { set = { "x-served-by" = "sentinel" } }

[[upstream]]
name = "origin"
targets = [TARGETS]
check = { path = "/health", interval = "5s", timeout = "5s" }

[[route]]
name = "api"
path = "/api"
upstream = "origin"
chain = ["access-log", "api-key-auth", "header-injection"]

[[route]]
name = "few"
path = "/few"
respond = { body = "few" }
limits = [{ name = "each client", requests = 2, window = "1h" }]
"""
GUESTS: dict[str, Path | bytes] = {
    name: ARTEFACTS / "rust" / f"{name}.wasm" for name in ("access-log", "api-key-auth", "header-injection")
}


def config(*targets: str, workers: int = 1) -> str:
    """The configuration for these upstreams."""
    return CONFIG.replace("TARGETS", ", ".join(f'"{target}"' for target in targets)).replace("WORKERS", str(workers))


def admin(gateway: GatewayProcess, path: str, method: str = "GET", body: Any = None, **more: str) -> Answer:
    """What the admin side answers to who has the token; ``more`` are header fields."""
    headers = {"authorization": f"Bearer {TOKEN}"} | {name.replace("_", "-"): value for name, value in more.items()}
    return fetch(gateway.admin, path, method=method, body=body, headers=headers)


def as_browser(gateway: GatewayProcess, path: str, cookie: str, proof: str, method: str = "GET") -> Answer:
    """What it answers to a browser with a session."""
    headers: Mapping[str, str] = {"cookie": cookie, "x-sentinel-session": proof}
    return fetch(gateway.admin, path, method=method, headers={name: value for name, value in headers.items() if value})
