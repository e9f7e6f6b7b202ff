"""Colours for people, where a terminal shows them and NO_COLOR (https://no-color.org) does not
forbid it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Final, TextIO

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Writes text in a style, or plainly."""

    colours: bool

    @classmethod
    def of(cls, stream: TextIO | None = None) -> Paint:
        """For a stream, standard output by default."""
        return cls((stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR"))

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colours else text
