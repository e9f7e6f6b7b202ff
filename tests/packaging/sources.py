"""What of the repository the gateway is built from."""

from __future__ import annotations

from typing import Final

FOLDERS: Final = ("host", "sdk", "wit")
FILES: Final = ("pyproject.toml", "setup.py", "LICENSE", "README.md")
SOURCES: Final = (*FOLDERS, *FILES)
