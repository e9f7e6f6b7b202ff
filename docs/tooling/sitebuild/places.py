"""Where the documents are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
DOCS: Final = ROOT / "docs"
REFERENCE: Final = DOCS / "reference"

# Pages of the repository that are part of the documentation but stand where readers of the code
# look for them, and where the site has them.
ELSEWHERE: Final = {
    "README.md": "readme.md",
    "ARCHITECTURE.md": "explanation/architecture.md",
    "SECURITY.md": "explanation/security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "wit/ABI.md": "reference/abi.md",
    "sdk/rust/README.md": "reference/sdk-rust.md",
    "sdk/assemblyscript/README.md": "reference/sdk-assemblyscript.md",
    "sdk/c/README.md": "reference/sdk-c.md",
    "sdk/go/README.md": "reference/sdk-go.md",
    "sdk/python/README.md": "reference/sdk-python.md",
    "sdk/typescript/README.md": "reference/sdk-typescript.md",
}


def pages() -> list[Path]:
    """Every page of the documentation, the site's and those that stand elsewhere."""
    return sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in ELSEWHERE)])
