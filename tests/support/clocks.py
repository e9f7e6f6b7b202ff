"""How long tests wait, and what they make of a machine that has other things to do."""

from __future__ import annotations

PATIENCE = 100.0
"""Seconds for what will come: a test that reaches it fails. Only a hang does, also with a tenth of a core."""

LATE = 5.0
"""Seconds that a machine may add to whatever a test measures: what a bound tells apart must be further apart."""
