"""``sentinel --version``."""

from __future__ import annotations

import platform
from importlib.metadata import version


def versions() -> str:
    """Ours, and those of what it runs on, in one line that a report can quote."""
    return f"sentinel {version('sentinel-host')} (Python {platform.python_version()}, wasmtime {version('wasmtime')})"
