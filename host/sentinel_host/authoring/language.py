"""What a language must say for `sentinel new`, `build`, `test` and `dev` to work with it: one file
per language.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Build:
    """A guest to be built: the project's ``folder``, the guest's ``name``, and where its ``file``
    goes.

    With ``debug`` the file holds what names the lines of sources in the backtrace of a trap.
    """

    folder: Path
    name: str
    file: Path
    debug: bool = False


@dataclass(frozen=True, slots=True)
class UnitTests:
    """What came of a project's unit tests: whether all passed, and what their runner printed."""

    passed: bool
    output: str


class Language(Protocol):
    """See the module. ``name`` is what `--language` takes."""

    @property
    def name(self) -> str: ...

    @property
    def sources(self) -> tuple[str, ...]:
        """Files and folders of a project whose changes ask for a new build."""
        ...

    def name_of(self, folder: Path) -> str | None:
        """The guest's name if the folder is a project in this language, by its manifest.

        Raises ToolchainError for a manifest that cannot be read.
        """
        ...

    def create(self, name: str) -> dict[str, str]:
        """The files of a new project by their paths, beyond those that all languages have."""
        ...

    def build(self, build: Build) -> None:
        """Write the guest's file whole. Raises ToolchainError with the compiler's message, or with
        what is missing.
        """
        ...

    def test(self, folder: Path) -> UnitTests | None:
        """Run the project's unit tests; None if it has none. Raises ToolchainError if a tool is
        missing.
        """
        ...
