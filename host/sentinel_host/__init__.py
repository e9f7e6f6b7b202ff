"""Sentinel: an API gateway whose every middleware is a sandboxed WebAssembly guest.

This package exports what programs need that have a gateway inside. All other modules are private,
and may change with every release.

``create_app`` makes the data plane as an application for any ASGI server::

    from sentinel_host import create_app

    app = create_app("sentinel.toml")

``serve`` runs a gateway on Sentinel's own HTTP server, in an event loop of the program::

    from sentinel_host import load_config, serve

    async with serve(load_config("sentinel.toml")) as gateway:
        print(gateway.urls)
        await work()

``load_config`` reads and checks a file, and returns a ``Config``, which is immutable. What goes
wrong is a ``SentinelError``: a ``ConfigError`` names the file and the key at fault, a
``GuestLoadError`` the guest's file. ``__version__`` is the version of the installed package.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "Config",
    "ConfigError",
    "GuestLoadError",
    "SentinelError",
    "ServedGateway",
    "__version__",
    "create_app",
    "load_config",
    "serve",
]

# Imported on first use: the supervisor imports this package too, and needs no engine and no data
# plane. Type checkers read ``__init__.pyi``.
_MODULES = {
    "Config": "config",
    "ConfigError": "errors",
    "GuestLoadError": "errors",
    "SentinelError": "errors",
    "ServedGateway": "embedding",
    "create_app": "embedding",
    "load_config": "config",
    "serve": "embedding",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("sentinel-host")
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
