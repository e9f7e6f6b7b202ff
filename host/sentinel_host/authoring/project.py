"""A project of one guest: how it is made, recognized and built, whatever its language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentinel_host.authoring.assemblyscript import AssemblyScript
from sentinel_host.authoring.c import C
from sentinel_host.authoring.go import Go
from sentinel_host.authoring.language import Build, Language
from sentinel_host.authoring.python import Python
from sentinel_host.authoring.rust import Rust
from sentinel_host.authoring.typescript import TypeScript
from sentinel_host.authoring.zig import Zig
from sentinel_host.errors import ConfigError

_ALL: Final[tuple[Language, ...]] = (
    Rust(),
    AssemblyScript(),
    TypeScript(),
    TypeScript("javascript", "js"),
    Python(),
    Go(),
    C(),
    Zig(),
)
LANGUAGES: Final[dict[str, Language]] = {language.name: language for language in _ALL}

# What is a name for cargo, for npm, and for a guest.
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_SELF_TEST: Final = """\
[
  {{
    "name": "a request with a user-agent is marked",
    "hook": "on-request",
    "head": {{"headers": [["user-agent", "self-test"]]}},
    "expect": {{"action": "continue", "edits": [["set", "x-guest", "{name}"]]}}
  }},
  {{
    "name": "a request without one is refused",
    "hook": "on-request",
    "expect": {{"action": "respond", "status": 400}}
  }}
]
"""

_CONFIGURATION: Final = """\
# What `sentinel run` serves: the guest before an upstream of yours.
[server]
bind = ["127.0.0.1:8080"]

[guests]
directory = "build"

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9000"]

[[route]]
path = "/"
upstream = "origin"
chain = ["{name}"]
"""

_README: Final = """\
# {name}

A guest of the Sentinel gateway, in {language}.

    sentinel build    # build/{name}.wasm, with what it exports and imports
    sentinel test     # unit tests, the self-test and the case tables, without a gateway
    sentinel dev      # builds on save, and serves the guest before an echo upstream

The guest is in `{source}`. `self-test.json` holds cases that every gateway runs when it loads the guest.
`sentinel.toml` is a configuration to start from: `sentinel run` serves it.
"""

_IGNORED: Final = "/.sentinel/\n/build/\n/node_modules/\n/target/\n__pycache__/\n"


@dataclass(frozen=True, slots=True)
class Project:
    """A guest's ``folder``, its ``name``, and the language that it is written in."""

    folder: Path
    name: str
    language: Language

    @property
    def file(self) -> Path:
        """Where the guest is built to."""
        return self.folder / "build" / f"{self.name}.wasm"

    def build(self, *, debug: bool = False) -> None:
        """Build the guest. Raises ToolchainError."""
        self.language.build(Build(self.folder, self.name, self.file, debug))


def create_project(folder: Path, language: Language) -> Project:
    """Write a whole project; its guest is named as the folder.

    Raises `ConfigError` for a name that is none, and for a folder that has something in it.
    """
    name = folder.name
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a guest: use lower-case letters, digits and single hyphens")
    files = language.create(name)
    source = next(path for path in files if path.startswith(("src/", "assembly/", "guest.")))
    words = {"name": name, "language": language.name, "source": source}
    files |= {
        ".gitignore": _IGNORED,
        "README.md": _README.format(**words),
        "self-test.json": _SELF_TEST.format(**words),
        "sentinel.toml": _CONFIGURATION.format(**words),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"{folder}: is there already, and not empty")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}") from None
    return Project(folder, name, language)


def find_project(folder: Path) -> Project:
    """The project in a folder. Raises `ConfigError` if there is none, and ToolchainError for a
    broken manifest.
    """
    for language in LANGUAGES.values():
        name = language.name_of(folder)
        if name is not None:
            return Project(folder, name, language)
    raise ConfigError(
        f"{folder}: is no guest's project: neither a Cargo.toml, nor a package.json with an assembly/index.ts "
        "or with sentinel.main, "
        "nor a pyproject.toml with [tool.sentinel], nor a go.mod, nor a compile_flags.txt with C in src/, nor a "
        "src/guest.zig; `sentinel new NAME` makes one"
    )
