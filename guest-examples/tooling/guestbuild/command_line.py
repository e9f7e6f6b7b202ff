from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from guestbuild.assemblyscript_guests import build_assemblyscript
from guestbuild.places import BUILD
from guestbuild.project_guests import build_projects
from guestbuild.report import BuiltGuest
from guestbuild.rust_guests import build_rust
from sentinel_host.authoring.c import C
from sentinel_host.authoring.cache import locked
from sentinel_host.authoring.go import Go
from sentinel_host.authoring.python import Python
from sentinel_host.authoring.rust_toolchain import cargo_command, rust_environment
from sentinel_host.authoring.typescript import TypeScript
from sentinel_host.authoring.zig import Zig
from sentinel_host.errors import ToolchainError

_BUILDERS: dict[str, Callable[[], list[BuiltGuest]]] = {
    "rust": build_rust,
    "assemblyscript": build_assemblyscript,
    "typescript": lambda: build_projects(TypeScript()),
    "python": lambda: build_projects(Python()),
    "go": lambda: build_projects(Go()),
    "c": lambda: build_projects(C()),
    "zig": lambda: build_projects(Zig()),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 after a one-line error if a tool is missing or refuses."""
    parser = argparse.ArgumentParser(prog="guest-examples/tooling")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build the example guests into build/guests")
    build.add_argument(
        "--only", action="append", choices=_BUILDERS, help="guests in a language, may be repeated; without it, in all"
    )
    commands.add_parser("rust-env", help="print the environment and the cargo with which Rust guests are built")
    package = commands.add_parser("package", help="assemble the package sentinel-guests, out of guests that are built")
    package.add_argument("folder", type=Path, help="made anew")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "build":
            _build(chosen.only or list(_BUILDERS))
        elif chosen.command == "package":
            _package(chosen.folder)
        else:
            _print_rust_environment()
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _build(languages: Sequence[str]) -> None:
    started = time.monotonic()
    # Sessions of one checkout may run at the same time; they share the compilers' output folders.
    with locked(BUILD / "guests.lock"), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        # Side by side: most compilers use one core.
        for guests in pool.map(lambda language: _BUILDERS[language](), languages):
            for guest in guests:
                print(guest, flush=True)
    print(f"guests are ready after {time.monotonic() - started:.1f} s", flush=True)


def _package(folder: Path) -> None:
    # It reads guests as the gateway does, whose dependencies are not there where guests are only
    # built.
    from guestbuild.standard_package import assemble

    with locked(BUILD / "guests.lock"):
        print(f"{folder}: {', '.join(assemble(folder))}", flush=True)


def _print_rust_environment() -> None:
    for name, value in rust_environment().items():
        print(f"export {name}={shlex.quote(value)}")
    print(f"cargo={shlex.quote(shlex.join(cargo_command()))}")
