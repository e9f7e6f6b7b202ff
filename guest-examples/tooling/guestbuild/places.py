"""Where things are: the repository and its build products."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BUILD = REPOSITORY / "build"
GUESTS = BUILD / "guests"
