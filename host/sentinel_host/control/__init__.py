"""What operators see: health, readiness and metrics, on the admin listener only."""

from __future__ import annotations

from sentinel_host.control.admin import install_admin

__all__ = ["install_admin"]
