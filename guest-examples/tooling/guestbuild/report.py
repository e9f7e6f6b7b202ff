from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BuiltGuest:
    """One guest component: ``size`` in bytes, and whether this build wrote new bytes."""

    language: str
    path: Path
    size: int
    rebuilt: bool

    def __str__(self) -> str:
        name = f"{self.language}/{self.path.stem}"
        return f"{name:<36} {self.size:>9,} B  {'rebuilt' if self.rebuilt else 'unchanged'}"
