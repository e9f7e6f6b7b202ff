"""The shorter way from the server to the data plane, and when it must not be taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentinel_host.config import load_config
from sentinel_host.gateway.app import Gateway
from sentinel_host.gateway.dataplane import DataPlane
from sentinel_host.server.serve import http_application

CONFIG = """
[[upstream]]
name = "api"
targets = ["http://127.0.0.1:1"]

[[route]]
path = "/"
upstream = "api"
"""


def make(folder: Path) -> Gateway:
    file = folder / "sentinel.toml"
    file.write_text(CONFIG)
    return Gateway(load_config(file))


def test_requests_go_past_the_coroutines_of_quart(tmp_path: Path) -> None:
    assert isinstance(http_application(make(tmp_path)), DataPlane)


def test_middleware_around_the_application_sees_every_request(tmp_path: Path) -> None:
    app: Any = make(tmp_path)
    inner = app.asgi_app

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    app.asgi_app = middleware
    assert http_application(app) is app


def test_any_other_application_is_called_itself() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    assert http_application(app) is app
