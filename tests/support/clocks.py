"""How long tests wait."""

from __future__ import annotations

PATIENCE = 100.0
"""Seconds for what will come: a test that reaches it fails. Only a hang does, also with a tenth of a core."""
