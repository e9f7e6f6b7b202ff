"""The ``sentinel`` command."""

from __future__ import annotations

from sentinel_host.cli.main import main

__all__ = ["main"]
